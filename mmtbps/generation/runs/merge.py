"""Annotation files for training, out of the manifest of a run."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.fileio import encode_json, write_durably
from mmtbps.lexicon import split_words
from mmtbps.merged_pairs import (
    CUHK_FILE,
    PAIRS_FILE,
    MergeNote,
    file_sha256,
    fingerprint_sources,
    part_files,
)
from mmtbps.records import PairRecord

from ..editing.edit_kinds import find_kind
from .manifest import Record, load_done, read_run
from .pair_weights import DEFAULT_FLOOR, weigh_pairs
from .record_sections import check_accepted
from .run_summary import summarise

__all__ = ['CUHK_FILE', 'PAIRS_FILE', 'Merged', 'check_sources', 'merge_run',
           'person_numbers']

_Group = tuple[int, str, str, str, str]
_TOLD = ('kind', 'region', 'noun', 'old', 'new', 'instruction')


@dataclass(frozen=True)
class Merged:
    """Counts of what `merge_run` wrote.

    Args:
        pairs: Accepted images.
        people: New person ids.
        first_id: The smallest of them.
        done: Jobs with an outcome.
        planned: Jobs of the plan; more than ``done`` if the run is not complete.
    """

    pairs: int
    people: int
    first_id: int
    done: int
    planned: int


def merge_run(folder: str | os.PathLike, existing: Iterable[PairRecord],
              max_control_rate: float = 0.1, min_controls: int = 10,
              weight_floor: float = DEFAULT_FLOOR) -> Merged:
    """Write the accepted pairs of all processes as annotation files.

    ``pdg_pairs.jsonl`` holds `PairRecord` lines with ``source``, so that holding people out also
    holds out what was made from them; every data set of this package reads it beside its own
    annotation file. ``pdg_cuhk.json`` says the same in the format of CUHK-PEDES, for other code.
    Image paths in both are relative to the folder.

    The appearance is the identity in this task, so a person with other clothes is a new one: one id
    for each source person, region, garment and new colour (kind and new words, in edits beyond
    colour), counted on from the largest id of the data set in sorted order. Where only the scene
    changed, the pair is one more of the source person. The files do not depend on processes or
    order.

    Args:
        folder: Folder of the run.
        existing: All pairs of the data set the plan was made from, of all splits.
        max_control_rate: See `RunSummary`.
        min_controls: See `RunSummary`.
        weight_floor: Weight of a pair that its gates only just accept; see `weigh_pairs`.

    Raises:
        MissingFile: If no run has begun in the folder.
        InvalidRun: If the gates let too many negative controls pass.
        BadValue: If an image does not come from the train split of ``existing``.
    """
    # Before they are read: what a run adds meanwhile then counts as later.
    parts = {path.name: file_sha256(path) for path in part_files(folder)}
    records = sorted(load_done(folder).values(), key=lambda record: record.job_id)
    summarise(records, max_control_rate, min_controls).check()
    run = read_run(folder)
    existing = list(existing)
    accepted = [record for record in records if record.status == 'accepted']
    check_sources(accepted, existing)
    numbers = person_numbers(accepted, 1 + max((r.person_id for r in existing), default=-1))
    people = {record.job_id: numbers.get(_group(record), record.source['person_id'])
              for record in accepted}
    accepted.sort(key=lambda record: (people[record.job_id], record.job_id))
    weights = weigh_pairs(accepted, weight_floor)
    pairs = [_pair(record, people[record.job_id], weight)
             for record, weight in zip(accepted, weights, strict=True)]
    lines = [encode_json(pair.to_json()) for pair in pairs]
    text = ''.join(f'{line}\n' for line in lines).encode()
    write_durably(Path(folder, PAIRS_FILE), text)
    entries = [_cuhk_entry(pair) for pair in pairs]
    write_durably(Path(folder, CUHK_FILE), encode_json(entries).encode())
    MergeNote(_dataset_of(records), run['digest'], len(pairs), hashlib.sha256(text).hexdigest(),
              _fingerprint(accepted, existing), parts).write(folder)
    return Merged(len(pairs), len(numbers), min(numbers.values(), default=0), len(records),
                  run['plan']['jobs'])


def person_numbers(records: Iterable[Record], first: int) -> dict[_Group, int]:
    """Number the groups of new people in sorted order from ``first`` on: group -> person id."""
    groups = sorted({_group(record) for record in records
                     if find_kind(record.edit['kind']).changes_person})
    return {group: first + i for i, group in enumerate(groups)}


def _dataset_of(records: Sequence[Record]) -> str:
    return next((record.source['dataset'] for record in records), '')


def _fingerprint(accepted: Sequence[Record], existing: Sequence[PairRecord]) -> str:
    used = {record.source['image'] for record in accepted}
    return fingerprint_sources((pair.image, pair.person_id, pair.captions) for pair in existing
                               if pair.split == 'train' and pair.source is None
                               and pair.image in used)


def _group(record: Record) -> _Group:
    edit, person = record.edit, record.source['person_id']
    if edit['kind'] == 'color':
        return person, edit['region'], edit['noun'], edit['new']['bases'][0], ''
    new = edit.get('new', {}).get('text', '')
    return person, edit.get('region', ''), edit.get('noun', ''), new, edit['kind']


def check_sources(records: Sequence[Record], existing: Sequence[PairRecord]) -> None:
    """Refuse records of images that a data set does not have, or not in train or of that person.

    Raises:
        RecordError: If a record does not say all that a pair is made of.
        BadValue: Naming the first such image.
    """
    for record in records:
        check_accepted(record.source, record.edit, record.output, f'job {record.job_id}')
    train = {(pair.image, pair.person_id) for pair in existing if pair.split == 'train'}
    tested = {pair.image for pair in existing if pair.split != 'train'}
    for record in records:
        image, person = record.source['image'], record.source['person_id']
        if record.source['split'] != 'train' or image in tested or (image, person) not in train:
            raise BadValue(f'{record.job_id}: {image} of person {person} is not in the train '
                           'split of the annotation file; merge with the data set the plan was '
                           'made from')


def _pair(record: Record, person_id: int, weight: float) -> PairRecord:
    edit = dict(job_id=record.job_id, source_person_id=record.source['person_id'],
                **{key: record.edit[key] for key in _TOLD if key in record.edit},
                kept=record.edit['kept'])
    scores = {name: verdict['value'] for name, verdict in record.gates.items()
              if verdict.get('value') is not None}
    return PairRecord(image=record.output['file'], captions=tuple(record.output['captions']),
                      person_id=person_id, split='train', source=record.source['image'],
                      edit=edit, scores=scores, pair_weight=weight)


def _cuhk_entry(pair: PairRecord) -> dict[str, Any]:
    tokens = [[word.key for word in split_words(caption) if not word.is_punctuation]
              for caption in pair.captions]
    return dict(split='train', captions=list(pair.captions), file_path=pair.image,
                id=pair.person_id, processed_tokens=tokens, source=pair.source,
                source_id=pair.edit['source_person_id'], job_id=pair.edit['job_id'],
                pair_weight=pair.pair_weight)
