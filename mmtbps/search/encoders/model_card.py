"""Card of a model of ours: training data, measures, protocol and licence, as far as known.

Nothing here is guessed: of what neither the checkpoint nor the folder says, there is nothing.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from yaml import YAMLError

from mmtbps.errors import UserError
from mmtbps.fileio import load_checkpoint_file

from .notices import list_notices, notice_files, source_folder

__all__ = ['CARD', 'card_facts', 'carry_notices', 'stated_licence']

#: Template of the card.
CARD = """---
{{ card_data }}
---

# Text-based person search

An image and a text tower of [OpenMMLab's](https://github.com/open-mmlab) family, trained with
mmtbps to find pictures of a person by a description.

```python
from mmtbps.search import TextToPersonInferencer

searcher = TextToPersonInferencer.from_pretrained('this repository', gallery='people.lance')
searcher.index('a folder of crops')
searcher('A woman in a red coat with a black bag.', topk=10)
```

This folder is for mmtbps: `AutoModel` of transformers, sentence-transformers and Transformers.js
do not read it. `mmtbps export --format transformers --model FOLDER DST` writes one that they do, of
a model of CLIP or SigLIP towers.

## Data

{{ data or 'The checkpoint does not say what it was trained on.' }}

## Metrics

{{ metrics or 'The checkpoint holds no measurement of itself.' }}

## Licence

{{ licence or 'No licence of these weights is stated.' }}
"""
_CARD_FILE = 'README.md'
_NO_DATA, _NO_METRICS = re.findall(r"or '(.*?)'", CARD)[:2]


def card_facts(encoder: Any) -> dict[str, str]:
    """Collect data, metrics and licence of a model in words; empty ones are not known.

    Args:
        encoder: of a model of ours or of another library.
    """
    checkpoint = getattr(encoder, 'checkpoint', None)
    content = _read_checkpoint(checkpoint)
    name, meta = checkpoint.name if checkpoint else '', content.get('meta') or {}
    card = _source_card(encoder)
    return dict(
        data=_word_data(meta.get('dataset_meta') or {}) or _section(card, 'Data', _NO_DATA),
        metrics=_word_metrics(name, content.get('message_hub') or {}, meta.get('time'))
        or _section(card, 'Metrics', _NO_METRICS),
        licence='\n\n'.join(f'{title}: see `tokenizer/LICENSE`.' if 'tokenizer' in title else
                            f'{title}: {text.strip()}' for title, text in list_notices(encoder)))


def stated_licence(encoder: Any) -> str | None:
    """Return the licence that the card of a model's folder names to the hub; None for none.

    Args:
        encoder: of a model of ours or of another library.
    """
    card = _source_card(encoder)
    if not card.startswith('---'):  # the library would warn
        return None
    try:
        licence = ModelCard(card).data.license
    except (ValueError, YAMLError):  # a card by hand
        return None
    return licence if isinstance(licence, str) and re.fullmatch(r'[\w.-]+', licence) and (
        licence != 'other') else None


def carry_notices(source: Path | None, target: Path) -> None:
    """Copy card, licences and notices of a folder to another one.

    Args:
        source: folder that a model came from; None for none.
        target: an existing folder; a card that it has stays.
    """
    if source is None or source.resolve() == target.resolve():
        return
    card = source / _CARD_FILE
    for file in [*notice_files(source), *([card] if card.is_file() else [])]:
        if not (target / file.name).exists():
            shutil.copyfile(file, target / file.name)


def _source_card(encoder: Any) -> str:
    """Read the card of the folder that a model came from; empty where there is none."""
    folder = source_folder(encoder)
    card = folder and folder / _CARD_FILE
    return card.read_text(encoding='utf-8', errors='replace') if card and card.is_file() else ''


def _section(card: str, title: str, unknown: str) -> str:
    """Return a section of a card of ours, if it is more than that nothing is known."""
    found = re.search(rf'^## {title}\n\n(.*?)(?=^## |\Z)', card, re.DOTALL | re.MULTILINE)
    text = found[1].strip() if found else ''
    return '' if text == unknown else text


def _read_checkpoint(checkpoint: Path | None) -> Mapping[str, Any]:
    if checkpoint is None or checkpoint.suffix != '.pth':
        return {}
    try:
        content = load_checkpoint_file(checkpoint, map_location='cpu', mmap=True)
    except (UserError, OSError):  # such as an address, which another reader has loaded
        return {}
    return content if isinstance(content, dict) else {}


def _word_data(meta: Mapping[str, Any]) -> str:
    """Word the training set that a checkpoint notes."""
    if 'dataset_name' not in meta:
        return ''
    files = ', '.join(f'`{name}` (sha256 {digest[:12]})'
                      for name, digest in (meta.get('ann_files') or {}).items())
    return (f'Trained on {meta["dataset_name"]}, split {meta.get("split", "unknown")}'
            + (f', annotations {files}' if files else '') + '.')


def _word_metrics(name: str, hub: Mapping[str, Any], time: Any) -> str:
    """Word what a best checkpoint was measured by when it was chosen, and its day.

    A checkpoint of an epoch is written before the validation of that epoch, so it knows none.
    """
    known = hub.get('runtime_info') or {}
    if not name.startswith('best_') or 'protocol' not in known:
        return ''
    rows = [f'| {key} | {value:.2f} |' for key, value in _scalars(hub.get('log_scalars') or {})]
    # The folder of the distractors is nobody else's business.
    protocol = re.sub(r'(distractors of )[^|]*/', r'\1', known['protocol'])
    chosen = known.get('best_of')
    by = f' It was chosen on that split, by {chosen[0]}: on others expect less.' if chosen else ''
    day = re.match(r'(\d{4})(\d\d)(\d\d)_', str(time))  # as MMEngine writes it
    on = f' on {"-".join(day.groups())}' if day else ''
    return '\n'.join(['| measure | percent |', '|---|---|', *rows, '', f'`{protocol}`', '',
                      f'Measured by the training itself{on}, on its validation split.{by}'])


def _scalars(history: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the last shares of the validation, in percent; counts are in the protocol."""
    for key, values in history.items():
        if match := re.fullmatch(r'val/((?:t2i|i2t)/(?:R\d+|mAP\w*|mINP))', key):
            yield match[1], float(values.current())
