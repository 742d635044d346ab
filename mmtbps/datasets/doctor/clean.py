"""Cleaning of a data set: annotation files without what was found, and a list of what was done."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, encode_json, sync_folder, write_durably

from .caption_findings import plain_text
from .findings import Finding

__all__ = ['FIXES_FILE', 'Change', 'clean_records', 'write_clean']

FIXES_FILE = 'fixes.jsonl'
_LEFT_OUT = ('missing picture', 'broken picture')
_ACROSS = ('picture in two splits', 'person in two splits')
_RANK = {'test': 0, 'val': 1, 'train': 2}


class Change(NamedTuple):
    """One thing that cleaning did.

    Args:
        file: annotation file.
        record: its number there.
        reason: kind of the finding.
        before: the caption, or the image of a record that was left out.
        after: the caption as it is now; empty for what was left out.
    """

    file: str
    record: int
    reason: str
    before: str
    after: str = ''


def clean_records(located: Sequence[LocatedRecord], findings: Sequence[Finding]
                  ) -> tuple[list[LocatedRecord], list[Change]]:
    """Leave out, or put right, what was found; pictures are not touched.

    A picture or person of two splits stays in the test split, else in val. Records of a test split
    stay without captions, since they are in the gallery; those of train without one are left out.

    Args:
        located: records of all splits.
        findings: in them.

    Returns:
        The records that are left, and what was done.
    """
    reasons = _reasons(located, findings)
    kept, changes = [], []
    for item in located:
        file, number, record = item.source.name, item.number, item.record
        if reason := reasons.get((file, number)):
            changes.append(Change(file, number, reason, record.image))
            continue
        captions, places = [], []
        for place, text in enumerate(record.captions):
            new = plain_text(text) if isinstance(text, str) else ''
            reason = 'empty caption' if not new else 'caption twice' if new in captions else None
            if reason:
                changes.append(Change(file, number, reason, str(text)))
                continue
            if new != text:
                changes.append(Change(file, number, 'beyond ASCII' if not text.isascii()
                                      else 'blanks', text, new))
            captions.append(new)
            places.append(place)
        if not captions and record.split == 'train':
            changes.append(Change(file, number, 'no caption left', record.image))
            continue
        kept.append(_with(item, captions, places))
    return kept, changes


def _with(item: LocatedRecord, captions: list[str], places: list[int]) -> LocatedRecord:
    record = item.record
    queries = record.query_images and tuple(record.query_images[place] for place in places)
    return item._replace(record=replace(record, captions=tuple(captions), query_images=queries))


def _reasons(located: Sequence[LocatedRecord],
             findings: Sequence[Finding]) -> dict[tuple[str, int], str]:
    """Say of each record that is left out why."""
    gone: dict[str, str] = {}
    copies: dict[tuple[str, str], str] = {}
    people: dict[Any, tuple[int, str]] = {}
    by_place = {(item.source.name, item.number): item for item in located}
    for finding in findings:
        for group in finding.groups:
            if finding.kind in _LEFT_OUT:
                gone.update(dict.fromkeys((place.image for place in group), finding.kind))
            if finding.kind == 'picture in two splits':
                best = min(_RANK.get(place.split, 2) for place in group)
                copies.update({(place.image, place.split): finding.kind for place in group
                               if _RANK.get(place.split, 2) > best})
            if finding.kind == 'person in two splits':
                best = min(_RANK.get(place.split, 2) for place in group)
                identity = by_place[group[0].file, group[0].record].identity
                people[identity] = best, finding.kind
    reasons = {}
    for item in located:
        best, kind = people.get(item.identity, (9, ''))
        out = gone.get(item.image_path) or copies.get((item.image_path, item.record.split))
        if out:
            reasons[item.source.name, item.number] = out
        elif _RANK.get(item.record.split, 2) > best:
            reasons[item.source.name, item.number] = kind
    return reasons


def write_clean(located: Sequence[LocatedRecord], findings: Sequence[Finding],
                folder: str | Path) -> tuple[dict[Path, Path], list[Change]]:
    """Write cleaned annotation files, and the list of what was done.

    The files hold `PairRecord` lines, which every reader of ours reads; pictures stay where they
    are. The annotation files themselves are not changed.

    Args:
        located: records of all splits.
        findings: in them.
        folder: new or empty.

    Returns:
        Each file with the image folder that belongs to it, and the changes, which are in
        ``fixes.jsonl`` too.

    Raises:
        BadValue: the folder holds something.
    """
    folder = Path(folder)
    check_writable(folder, folder=True)
    if folder.is_dir() and any(folder.iterdir()):
        raise BadValue(f'{folder} holds something; cleaned annotation files are written to a '
                       'folder of their own')
    kept, changes = clean_records(located, findings)
    # Grows under another name, so that a folder that can be seen is a whole one.
    place = folder.resolve()
    growing = place.with_name(f'.{place.name}.partial')
    shutil.rmtree(growing, ignore_errors=True)  # of a run that was killed
    growing.mkdir(parents=True)
    written = {}
    for source in dict.fromkeys(item.source for item in located):
        target = folder / _free_name(Path(source.name).stem, written)
        lines = [item.record.to_json() for item in kept if item.source == source]
        write_durably(growing / target.name, ''.join(_lines(lines)))
        written[target] = source.images
    write_durably(growing / FIXES_FILE, ''.join(_lines(change._asdict() for change in changes)))
    growing.replace(place)
    sync_folder(place.parent)
    return written, changes


def _free_name(stem: str, taken: dict[Path, Path]) -> str:
    names = {path.name for path in taken}
    numbers = (f'_{number}' if number else '' for number in range(len(names) + 1))
    return next(name for end in numbers if (name := f'{stem}{end}.jsonl') not in names)


def _lines(rows: Any) -> Iterator[str]:
    return (encode_json(row) + '\n' for row in rows)
