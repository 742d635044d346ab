"""Pairs as a perfect editor would generate them, the upper bound of proximity data generation."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import explained_disk_full, write_durably
from mmtbps.records import PairRecord

from .edits import colors_for, draw_edit
from .versions import plan_person

#: Garments an edit may change, as colors of these are what captions name first.
EDITED = ('upper', 'lower')


def draw_edited_pairs(root: str | Path, out: str | Path, seed: int = 0) -> Path:
    """Draw one perfect edit of every training image of a drawn data set.

    All images of a person get the same edit, and with it one new person id: in text-based person
    search the look is the identity. The pairs are for training beside the originals.

    Args:
        root: A finished drawn data set.
        out: Folder to write ``imgs/`` and ``pairs.jsonl`` to; a finished one is left as it is.
        seed: Seed of the garment and color that each person gets.

    Returns:
        ``out/pairs.jsonl``, in the format of :class:`~mmtbps.records.PairRecord`.

    Raises:
        MissingFile: If ``root`` is no finished drawn data set.
        BadValue: If it is of another version than 1.
    """
    root, out = Path(root), Path(out)
    target = out / 'pairs.jsonl'
    if target.is_file():
        return target
    if not (root / 'drawn.json').is_file():
        raise MissingFile(f'{root} is no finished drawn data set; draw it',
                          Remedy('draw_dataset', dict(root=root)))
    marker = json.loads((root / 'drawn.json').read_text(encoding='utf-8'))
    if marker['version'] != 1:
        raise BadValue(f'{root} is version {marker["version"]} of the drawn people; edits are '
                       'drawn of version 1')
    (out / 'imgs').mkdir(parents=True, exist_ok=True)
    entries = json.loads((root / 'reid_raw.json').read_text(encoding='utf-8'))
    new_id = 1 + max(entry['id'] for entry in entries)
    people = sorted({entry['id'] for entry in entries if entry['split'] == 'train'})
    with explained_disk_full(out):
        lines = [json.dumps(record.to_json()) for number, person_id in enumerate(people)
                 for record in _edit_person(person_id, new_id + number, marker, out, seed)]
    write_durably(target, '\n'.join(lines) + '\n')
    return target


def _edit_person(person_id: int, new_id: int, marker: dict, out: Path,
                 seed: int) -> Iterator[PairRecord]:
    """Draw the edit of all training images of a person, and yield their records."""
    rng = np.random.default_rng((seed, person_id, 1))
    person, shots = plan_person(marker['seed'], person_id, marker['images'])
    worn = [garment for garment in EDITED if person.wears(garment)]
    garment = worn[rng.integers(len(worn))]
    colors = colors_for(person, garment)
    color = colors[rng.integers(len(colors))]
    for shot in shots:
        edit = draw_edit(person, shot.scene, garment, color, np.random.default_rng((seed, new_id)),
                         shot.caption_seeds, (marker['height'], marker['width']))
        name = f'{new_id:05d}_{Path(shot.file_path).stem}.jpg'
        Image.fromarray(edit.after).save(out / 'imgs' / name, 'JPEG', quality=shot.scene.quality)
        yield PairRecord(
            image=name, captions=edit.edited_captions, person_id=new_id, split='train',
            source=shot.file_path,
            edit=dict(garment=garment, old=person.colors[garment], new=color))
