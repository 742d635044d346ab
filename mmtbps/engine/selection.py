"""Words on how a checkpoint was chosen, from what it says itself."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ['UNKNOWN', 'describe_selection']

UNKNOWN = 'unknown'
_SHORT_HASH = 12


def describe_selection(path: str, checkpoint: Mapping[str, Any]) -> str:
    """Describe how a checkpoint was chosen among those of its run.

    A run notes ``best_of`` in the message hub of its checkpoints: metric and split by which the
    best is chosen, and the SHA-256 of the annotation files of that split.

    Args:
        path: Name of the file; MMEngine calls the best one ``best_METRIC_epoch_N.pth``.
        checkpoint: Its content.

    Returns:
        ``'selected on SPLIT (sha256 ...) by METRIC'``, ``'last epoch, not selected'``, or
        ``'unknown'`` where the checkpoint does not say it.

    Example:
        >>> hub = dict(runtime_info=dict(best_of=['t2i/R1', 'val', '0123456789abcdef']))
        >>> describe_selection('best_t2i_R1_epoch_3.pth', dict(message_hub=hub))
        'selected on val (sha256 0123456789ab) by t2i/R1'
        >>> describe_selection('best_t2i_R1_epoch_3.pth', {})
        'unknown'
    """
    name = Path(path).name
    meta, hub = (checkpoint.get(key) or {} for key in ('meta', 'message_hub'))
    known = hub.get('runtime_info') or {}
    if name.startswith('best_'):
        return _word_best(name, known.get('best_of'))
    # A copy under another name is no best one if it can be resumed from: those hold no optimizer.
    from_the_row = re.match(r'(epoch|iter)_\d+\b', name) or 'optimizer' in checkpoint
    ended = any(meta.get(done) is not None and meta[done] == known.get(last)
                for done, last in (('epoch', 'max_epochs'), ('iter', 'max_iters')))
    if from_the_row and ended:
        return 'last epoch, not selected'
    return UNKNOWN


def _word_best(name: str, best_of: Sequence[str] | None) -> str:
    if not best_of or f'best_{best_of[0].replace("/", "_")}_' not in name:
        return UNKNOWN
    metric, split, *hashes = best_of
    files = ', '.join(digest[:_SHORT_HASH] for digest in hashes)
    return f'selected on {split}{f" (sha256 {files})" if files else ""} by {metric}'
