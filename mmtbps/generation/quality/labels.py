"""Edits whose truth is known, by a person who looked or by a renderer."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import iter_json_lines
from mmtbps.records import Entry, RecordError

from .base import is_number

__all__ = ['LABELS', 'EditLabel', 'read_labels', 'with_gates']

SCHEMA = 'mmtbps.pdg.label/1'
#: Verdicts of one who knows: as asked, a part of it, something else.
LABELS = ('right', 'partial', 'wrong')


@dataclass(frozen=True, slots=True)
class EditLabel:
    """Truth of one edit, beside the values that the gates measured.

    Args:
        job_id: Of the edit.
        label: One of `LABELS`.
        garment: Noun of the garment.
        status: ``'accepted'`` or ``'rejected'`` by the gates, empty if not known.
        gates: Name -> ``value`` (``None`` if nothing was measured) and ``ok``, as in the manifest.
        time: UTC.
    """

    job_id: str
    label: str
    garment: str = ''
    status: str = ''
    gates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    time: str = ''

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return dict(schema=SCHEMA, job_id=self.job_id, label=self.label, garment=self.garment,
                    status=self.status, gates=dict(self.gates), time=self.time)

    @classmethod
    def from_json(cls, raw: Any, where: str = 'label') -> 'EditLabel':
        """Read the label that :meth:`to_json` wrote; ``job_id`` and ``label`` suffice.

        Raises:
            RecordError: If it is of another schema, or a key is missing or not usable.
        """
        entry = Entry(raw, where)
        if (schema := entry.take_or_none('schema', str) or SCHEMA) != SCHEMA:
            raise RecordError(f'{where}: schema {schema!r}, but this version reads {SCHEMA!r}')
        label = entry.take('label', str)
        if label not in LABELS:
            raise RecordError(f'{where}: label must be one of {LABELS}, got {label!r}')
        gates = entry.take_or_none('gates', dict) or {}
        for name, verdict in gates.items():
            value = Entry(verdict, f'{where}, gate {name!r}').raw.get('value')
            if value is not None and not is_number(value):
                raise RecordError(f"{where}, gate {name!r}: key 'value' must be a number or null, "
                                  f'got {repr(value)[:60]}')
        texts = {key: entry.take_or_none(key, str) or '' for key in ('garment', 'status', 'time')}
        return cls(entry.take('job_id', str), label, gates=gates, **texts)


def read_labels(path: str | os.PathLike) -> dict[str, EditLabel]:
    """Read labels by the job's id; of several for one job the last one counts.

    Raises:
        MissingFile: If there is no such file.
        RecordError: Naming file and line of what is no label.
    """
    if not os.path.isfile(path):
        raise MissingFile(f'{path} not found: it should hold a JSON line an edit, with job_id and '
                          'label, as an audit writes them')
    labels = (EditLabel.from_json(raw, f'{path}:{number}') for number, raw in iter_json_lines(path))
    return {label.job_id: label for label in labels}


def with_gates(labels: Iterable[EditLabel],
               measured: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[EditLabel]:
    """Add to labels without values those of the gates, by the job's id.

    Raises:
        BadValue: If none is known of a job.
    """
    filled = []
    for label in labels:
        gates = label.gates or measured.get(label.job_id)
        if not gates:
            raise BadValue(f'job {label.job_id}: the label has no values of gates, and the run '
                           'none of this job; label the edits of this run')
        filled.append(replace(label, gates=gates))
    return filled
