"""Plans: files of the edits to make, a JSON line a job."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from mmtbps.errors import MissingFile, Remedy
from mmtbps.fileio import encode_json, iter_json_lines, write_durably
from mmtbps.records import Entry, RecordError, image_name

from ..editing.base import EditRequest

__all__ = ['SCHEMA', 'Job', 'read_plan', 'write_plan']

SCHEMA = 'mmtbps.pdg.plan/1'


@dataclass(frozen=True, slots=True)
class Job:
    """Line of a plan: an image, its change, and its captions afterwards.

    Args:
        source: ``dataset``, ``split``, ``image`` (as in the annotation), ``person_id`` and
            ``captions``.
        edit: ``kind`` and ``kept`` (indices of the captions used). An edit of colour has
            ``region``, ``noun``, ``old`` and ``new`` (each ``text`` and ``bases``) and ``spans``:
            for each exchanged colour its ``caption`` (an index into ``kept``), ``start``, ``end``
            and ``phrase`` in the source caption, ``target`` and ``target_phrase`` in the new one,
            and ``replacement``. Other kinds have an ``instruction``, and those that change what is
            worn ``region``, ``noun``, ``old`` and ``new`` (``text``), and ``writer``, the settings
            of a rewriter, if one wrote the captions.
        output: ``captions`` and ``group``, ``person/region/noun/new colour``: generated images of
            one group show the same person.
    """

    source: dict[str, Any]
    edit: dict[str, Any]
    output: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return dict(schema=SCHEMA, source=self.source, edit=self.edit, output=self.output)

    @classmethod
    def from_json(cls, raw: Any, where: str = 'job', allow_outside: bool = False) -> 'Job':
        """Read the job that :meth:`to_json` wrote.

        Args:
            raw: The decoded object.
            where: Name of its place in an error.
            allow_outside: As in :func:`~mmtbps.records.image_name`.

        Raises:
            RecordError: If it is of another schema, a key is missing, the split is not train, or
                the image leads out of its folder.
        """
        entry = Entry(raw, where)
        if (schema := entry.take('schema', str)) != SCHEMA:
            raise RecordError(f'{where}: schema {schema!r}, but this version reads {SCHEMA!r}')
        job = cls(*(entry.take(key, dict) for key in ('source', 'edit', 'output')))
        source = Entry(job.source, f'{where}, source')
        image_name(source.take('image', str), where, allow_outside)
        if (split := source.take('split', str)) != 'train':
            raise RecordError(f'{where}: an image of split {split!r} must not be edited')
        return job

    @property
    def kind(self) -> str:
        """Name of the kind of edit."""
        return self.edit.get('kind', 'color')

    def request(self, job_id: str, image: Image.Image, seed: int) -> EditRequest:
        """Build the request of this job to an editor.

        Raises:
            RecordError: Naming the job, if a key of its sections is missing or of a wrong type.
        """
        try:
            edit, captions = self.edit, self.source['captions']
            kept = tuple(captions[index] for index in edit['kept'])
            told = tuple(self.output['captions'])
            words = _color_words(edit) if self.kind == 'color' else dict(
                _NO_COLOR, kind=self.kind, instruction=edit['instruction'],
                noun=edit.get('noun', ''), region=edit.get('region', ''),
                # The first caption that changes; a scene's captions all stay.
                caption_index=next((i for i, pair in enumerate(zip(kept, told, strict=False))
                                    if pair[0] != pair[1]), 0))
            return EditRequest(
                job_id=job_id, image=image, source_captions=kept, target_captions=told,
                seed=seed, **words)
        except (KeyError, IndexError, TypeError) as error:
            raise RecordError(f'{job_id}: broken job of {self.source.get("image")} '
                              f'({type(error).__name__}: {error}); plan again') from error


_NO_COLOR = dict.fromkeys(('source_span', 'target_span', 'phrase_span', 'target_phrase_span',
                           'old_color', 'new_color'))


def _color_words(edit: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that tell an edit of colour."""
    span = edit['spans'][0]
    return dict(
        caption_index=span['caption'], source_span=(span['start'], span['end']),
        target_span=tuple(span['target']), phrase_span=tuple(span['phrase']),
        target_phrase_span=tuple(span['target_phrase']),
        old_color=edit['old']['bases'][0], new_color=edit['new']['bases'][0],
        noun=edit['noun'], region=edit['region'])


def write_plan(path: str | os.PathLike, jobs: Iterable[Job]) -> None:
    """Write a plan, whole or not at all."""
    lines = (encode_json(job.to_json()) + '\n' for job in jobs)
    write_durably(path, ''.join(lines).encode())


def read_plan(path: str | os.PathLike, allow_outside: bool = False) -> list[Job]:
    """Read a plan.

    Args:
        path: File of `write_plan`.
        allow_outside: As in :func:`~mmtbps.records.image_name`.

    Raises:
        MissingFile: If there is none.
        RecordError: Naming file and line of what is no job, or a job that stands there already.
    """
    if not os.path.isfile(path):
        raise MissingFile(f'{path} not found: make it first', Remedy('generate_plan'))
    jobs: dict[str, Job] = {}
    lines: dict[str, int] = {}
    for number, raw in iter_json_lines(path):
        job = Job.from_json(raw, f'{path}:{number}', allow_outside)
        key = json.dumps([job.source, job.edit], sort_keys=True)
        if key in jobs:
            raise RecordError(f'{path}:{number}: the edit of {job.source["image"]} that line '
                              f'{lines[key]} has already; both would be one job. Plan again',
                              Remedy('generate_plan'))
        jobs[key], lines[key] = job, number
    return list(jobs.values())
