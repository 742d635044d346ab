"""Audit of a run: a person judges a sample of its edits, and the gates are judged by that.

The sample is stratified by the gates' verdict and the garment, so that rare faults are looked at
too; shares are weighted by the sizes of the strata, so that they are those of the run.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from mmtbps.errors import BadValue
from mmtbps.fileio import JsonlWriter, LockTaken
from mmtbps.proportions import Proportion

from ..quality.labels import LABELS, EditLabel, read_labels
from ..turns import in_turn
from .manifest import Record, load_done, read_run

__all__ = ['AUDIT_FILE', 'Audit', 'audit_table', 'choose_sample', 'stratum_of']

AUDIT_FILE = 'audit.jsonl'
#: Title of a row and share of the right edits in it.
Row = tuple[str, Proportion]


def stratum_of(record: Record) -> tuple[str, str]:
    """Return the stratum of a job: the first gate that refuses it or ``'accepted'``, and its noun.

    >>> stratum_of(Record('a', 'rejected', {}, dict(noun='coat'), {}, {},
    ...                   gates=dict(mask=dict(ok=True), place=dict(ok=False))))
    ('place', 'coat')
    """
    refusing = (name for name, verdict in record.gates.items() if not verdict['ok'])
    return next(refusing, record.status), str(record.edit.get('noun', ''))


def choose_sample(records: Iterable[Record], count: int, seed: int = 0) -> list[Record]:
    """Choose jobs to judge: accepted and rejected in turn, of all strata alike.

    Inside a stratum the order is random and does not change; a longer sample begins with the
    shorter one.

    Args:
        records: Of a run; those without an image are passed over.
        count: Of jobs, at most.
        seed: Of the order.
    """
    strata: dict[bool, dict[tuple[str, str], list[Record]]] = {True: {}, False: {}}
    for record in sorted(records, key=lambda record: _order(record.job_id, seed)):
        if 'file' in record.output:
            kind = strata[record.status == 'accepted']
            kind.setdefault(stratum_of(record), []).append(record)
    turns = [in_turn(list(strata[kind].values())) for kind in (True, False)]
    return in_turn(turns)[:count]


class Audit:
    """Answers to a sample of a run, each on disk as soon as it is given.

    Args:
        folder: Folder of the run; the answers stand there in ``audit.jsonl``.
        count: Edits to judge, those that are judged already included.
        seed: See `choose_sample`.
        read_only: Take no answers and no lock: the folder may be another's, and its audit open.

    Attributes:
        folder: Of the run.
        records: All of the run, by the job's id.
        sample: Records to judge, by the job's id and in their order.
        labels: Answers so far, by the job's id.

    Raises:
        MissingFile: If no run has begun in the folder.
        BadValue: If it has no edit to look at, or ``count`` is below 1.
        LockTaken: If another process audits the run.
    """

    def __init__(self, folder: str | os.PathLike, count: int = 100, seed: int = 0,
                 read_only: bool = False) -> None:
        if count < 1:
            raise BadValue(f'an audit has at least 1 edit, got {count}')
        read_run(folder)
        self.folder = Path(folder)
        self.records = load_done(folder)
        self.sample = {record.job_id: record
                       for record in choose_sample(self.records.values(), count, seed)}
        if not self.sample:
            raise BadValue(f'{folder}: no edit of this run has an image to look at')
        path = self.folder / AUDIT_FILE
        try:
            # First: it cuts off a line that a kill left.
            self._writer = None if read_only else JsonlWriter(path)
        except LockTaken as error:
            raise LockTaken(f'{path} is being written by another process: this run is being '
                            'audited already') from error
        self.labels = read_labels(path) if self._writer or path.is_file() else {}

    @property
    def todo(self) -> list[str]:
        """Ids of the jobs that are not judged yet, in order."""
        return [key for key in self.sample if key not in self.labels]

    def answer(self, job_id: str, label: str) -> None:
        """Judge an edit, for the first time or anew; the answer is on disk when this returns.

        Raises:
            BadValue: If the job is not in the sample, the label none of `LABELS`, or the audit
                read only.
        """
        if self._writer is None:
            raise BadValue('this audit is read only')
        if job_id not in self.sample or label not in LABELS:
            raise BadValue(f'no answer {label!r} to job {job_id!r} of this sample')
        if (known := self.labels.get(job_id)) and known.label == label:
            return
        record = self.sample[job_id]
        answer = EditLabel(job_id, label, garment=stratum_of(record)[1], status=record.status,
                           gates=record.to_json()['gates'],
                           time=datetime.now(timezone.utc).isoformat(timespec='seconds'))
        self._writer.append(answer.to_json())
        self.labels[job_id] = answer

    def close(self) -> None:
        """Close the file and give up the lock."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> 'Audit':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def audit_table(records: Iterable[Record], labels: Iterable[EditLabel]) -> list[Row]:
    """Compute the share of right edits: of the accepted, by garment, and by gate.

    Args:
        records: All of the run.
        labels: Answers; those to other jobs are passed over.

    Returns:
        Rows ``accepted``, ``accepted, GARMENT``, and of each gate ``passed by GATE`` and ``refused
        by GATE``; what nobody has judged is left out.
    """
    by_id = {record.job_id: record for record in records if 'file' in record.output}
    known = [(by_id[label.job_id], label) for label in labels if label.job_id in by_id]
    sizes = Counter(map(stratum_of, by_id.values()))
    judged = Counter(stratum_of(record) for record, _ in known)
    groups: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for record, label in known:
        stratum = stratum_of(record)
        outcome = label.label == 'right', sizes[stratum] / judged[stratum]
        for title in _groups_of(record):
            groups[title].append(outcome)
    return [(title, Proportion.of(*zip(*groups[title], strict=True)))
            for title in sorted(groups, key=_rank)]


def _groups_of(record: Record) -> list[str]:
    garments = (['accepted', f'accepted, {stratum_of(record)[1]}']
                if record.status == 'accepted' else [])
    return garments + [f'{"passed" if verdict["ok"] else "refused"} by {name}'
                       for name, verdict in record.gates.items()]


def _rank(title: str) -> tuple[bool, str]:
    return not title.startswith('accepted'), ' '.join(reversed(title.split(' by ')))


def _order(job_id: str, seed: int) -> bytes:
    return hashlib.sha256(f'{seed}:{job_id}'.encode()).digest()
