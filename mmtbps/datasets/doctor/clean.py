"""Cleaning of a data set: annotation files without what was found, and a list of what was done."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.people import people_in
from mmtbps.datasets.record_checks import caption_fault
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, durable_folder, encode_json, write_durably

from .caption_findings import judge_captions
from .findings import Finding

__all__ = ['FIXES_FILE', 'Change', 'check_target', 'clean_records', 'write_clean']

FIXES_FILE = 'fixes.jsonl'
_GONE = ('missing picture', 'broken picture')
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


def clean_records(located: Sequence[LocatedRecord], findings: Sequence[Finding],
                  fault_of: Callable[[str], str | None] = caption_fault
                  ) -> tuple[list[LocatedRecord], list[Change]]:
    """Leave out, or put right, what was found; pictures are not touched.

    A picture or person of two splits stays in the test split, else in val. Records of a test split
    stay without captions, since they are in the gallery; those of train without one are left out.

    Args:
        located: records of all splits.
        findings: in them.
        fault_of: says what is wrong with a caption, as `TBPSDataset.fault_of` does.

    Returns:
        The records that are left, and what was done.
    """
    reasons, gone = _reasons(located, findings), _gone(findings)
    kept, changes = [], []
    for item in located:
        file, number, record = item.source.name, item.number, item.record
        if reason := reasons.get((file, number)):
            changes.append(Change(file, number, reason, record.image))
            continue
        left, told = _clean_captions(item, gone, fault_of)
        changes += told
        if left.record.captions or record.split != 'train':
            kept.append(left)
        else:
            changes.append(Change(file, number, 'no caption left', record.image))
    return kept, changes


def _clean_captions(item: LocatedRecord, gone: dict[str, str],
                    fault_of: Callable[[str], str | None]) -> tuple[LocatedRecord, list[Change]]:
    """Write the captions of a record anew, without those that go."""
    pictures = item.query_paths or [''] * len(item.record.captions)
    captions, places, changes = [], [], []
    for place, (kind, text) in enumerate(judge_captions(item.record, fault_of)):
        before = item.record.captions[place]
        if kind := gone.get(pictures[place]) or kind:
            changes.append(Change(item.source.name, item.number, kind, str(before)))
            continue
        if text != before:
            kind = 'blanks' if text == ' '.join(before.split()) else 'beyond ASCII'
            changes.append(Change(item.source.name, item.number, kind, before, text))
        captions.append(text)
        places.append(place)
    left = item.with_captions(places)
    return left._replace(record=replace(left.record, captions=tuple(captions))), changes


def _gone(findings: Sequence[Finding]) -> dict[str, str]:
    """Return the pictures that nobody can see, each with the kind of its finding."""
    return {place.image: finding.kind for finding in findings if finding.kind in _GONE
            for group in finding.groups for place in group}


def _reasons(located: Sequence[LocatedRecord],
             findings: Sequence[Finding]) -> dict[tuple[str, int], str]:
    """Say of each record that is left out why."""
    gone = _gone(findings)
    copies: dict[tuple[str, str], str] = {}
    people: dict[Any, int] = {}  # best split of each who is in several
    twice: dict[tuple[str, int], str] = {}
    by_place = {(item.source.name, item.number): item for item in located}
    for finding in findings:
        for group in finding.groups:
            best = min(_RANK.get(place.split, 2) for place in group)
            if finding.kind == 'picture in two splits':
                copies.update({(place.image, place.split): finding.kind for place in group
                               if _RANK.get(place.split, 2) > best})
            elif finding.kind == 'person in two splits':  # no pair of theirs is in the best split
                people[by_place[group[0].file, group[0].record].identity] = best
            elif finding.kind == 'record twice':
                twice.update(((place.file, place.record), finding.kind) for place in group[1:])
    reasons = {}
    for item in located:
        place, split = (item.source.name, item.number), item.record.split
        shared = any(_RANK.get(split, 2) > people.get(person, 9) for person in people_in([item]))
        if reason := (gone.get(item.image_path) or copies.get((item.image_path, split))
                      or (shared and 'person in two splits') or twice.get(place)):
            reasons[place] = reason
    return reasons


def check_target(folder: str | Path) -> None:
    """Refuse a folder that a cleaned copy cannot be written to, before anything is read.

    Args:
        folder: new or empty.

    Raises:
        BadValue: it holds something, or is a file.
        NotWritable: it, or the folder where it grows under another name, is denied.
    """
    folder = Path(folder)
    check_writable(folder, folder=True)
    if folder.is_dir() and any(folder.iterdir()):
        raise BadValue(f'{folder} holds something; cleaned annotation files are written to a '
                       'folder of their own')
    check_writable(folder.resolve().parent, folder=True)


def write_clean(located: Sequence[LocatedRecord], findings: Sequence[Finding],
                folder: str | Path, fault_of: Callable[[str], str | None] = caption_fault
                ) -> tuple[dict[Path, Path], list[Change]]:
    """Write cleaned annotation files, and the list of what was done.

    The files hold `PairRecord` lines, which every reader of ours reads; pictures stay where they
    are. The annotation files themselves are not changed. A file of which no record is left is not
    written.

    Args:
        located: records of all splits.
        findings: in them.
        folder: new or empty.
        fault_of: as in `clean_records`.

    Returns:
        Each file with the image folder that belongs to it, and the changes, which are in
        ``fixes.jsonl`` too.

    Raises:
        BadValue: the folder holds something, or nothing would be left.
    """
    check_target(folder)
    kept, changes = clean_records(located, findings, fault_of)
    if not kept:
        images = located[0].source.images if located else ''
        raise BadValue(f'nothing is left to write to {folder}: {_first_reasons(changes)}. Is '
                       f'{images} the image folder, and is its disk there?')
    folder, written = Path(folder), {}
    by_source = defaultdict(list)
    for item in kept:
        by_source[item.source].append(item.record)
    with durable_folder(folder.resolve()) as growing:
        for source, records in by_source.items():
            name = _free_name(Path(source.name).stem, {FIXES_FILE, *(p.name for p in written)})
            write_durably(growing / name, ''.join(_lines(record.to_json() for record in records)))
            written[folder / name] = source.images
        write_durably(growing / FIXES_FILE, ''.join(_lines(change._asdict() for change in changes)))
    return written, changes


def _first_reasons(changes: Sequence[Change]) -> str:
    counts = Counter(change.reason for change in changes)
    return ', '.join(f'{count} x {reason}' for reason, count in counts.most_common(3))


def _free_name(stem: str, taken: set[str]) -> str:
    """Return a name that no other file has, also where capitals make no difference."""
    taken = {name.casefold() for name in taken}
    numbers = (f'_{number}' if number else '' for number in range(len(taken) + 1))
    return next(name for end in numbers if (name := f'{stem}{end}.jsonl').casefold() not in taken)


def _lines(rows: Any) -> Iterator[str]:
    return (encode_json(row) + '\n' for row in rows)
