"""Captions that each tell the same number of things, of images that are drawn already."""

import json
from pathlib import Path

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import write_durably

from .build import MARKER
from .free_captions import free_caption
from .tokenizer import pretokenize
from .versions import VERSIONS

__all__ = ['write_counted_captions']

ALL = 'all'
_MORE_THAN_THERE_ARE = 99


def write_counted_captions(root: str | Path, facts: int | str,
                           out: str | Path | None = None) -> Path:
    """Write the annotations of a drawn set anew, each caption with one number of things in it.

    Images, people, splits and the seeds of the captions stay, so that sets of few and of many
    things differ in nothing else; a caption of few begins with the things of that of many.

    Args:
        root: A finished drawn data set of version 2.
        facts: Things that each caption tells, or as many as can be seen; ``'all'`` for all.
        out: File to write, by default ``facts_N.json`` in a folder beside ``root``; one that is
            there is left as it is.

    Returns:
        The file, in the format of ``reid_raw.json``.

    Raises:
        MissingFile: If ``root`` is no finished drawn data set.
        BadValue: If it is of version 1, whose captions do not say what they tell; or ``facts`` is
            neither ``'all'`` nor a number from 1.
    """
    root = Path(root)
    if facts != ALL and (not isinstance(facts, int) or facts < 1):
        raise BadValue(f"a caption tells at least 1 thing, or 'all', got facts={facts!r}")
    if not (root / MARKER).is_file():
        raise MissingFile(f'{root} is no finished drawn data set; draw it',
                          Remedy('draw_dataset', dict(root=root)))
    marker = json.loads((root / MARKER).read_text(encoding='utf-8'))
    if marker['version'] != 2:
        raise BadValue(f'{root} is version {marker["version"]} of the drawn people; things are '
                       'counted in captions of version 2')
    out = root.with_name(f'{root.name}-facts') / f'facts_{facts}.json' if out is None else Path(out)
    if out.is_file():
        return out
    entries = _retold(root, marker, _MORE_THAN_THERE_ARE if facts == ALL else facts)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_durably(out, json.dumps(entries))
    return out


def _retold(root: Path, marker: dict, count: int) -> list[dict]:
    """Return the entries of a set with captions of so many things."""
    entries = json.loads((root / 'reid_raw.json').read_text(encoding='utf-8'))
    captions = {}
    for number in {entry['id'] for entry in entries}:
        person, shots = VERSIONS[2].plan(marker['seed'], number, marker['images'])
        for shot in shots:
            captions[shot.file_path] = [free_caption(person, shot.scene, seed, facts=count).text
                                        for seed in shot.caption_seeds]
    for entry in entries:
        entry['captions'] = captions[entry['file_path']]
        entry['processed_tokens'] = [pretokenize(text) for text in entry['captions']]
    return entries
