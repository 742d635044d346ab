"""Sections of a line of the manifest that merging, training and reports rely on."""

from pathlib import PurePosixPath

from mmtbps.errors import Remedy
from mmtbps.records import Entry, RecordError, image_name

from ..quality.base import is_number

__all__ = ['check_accepted', 'check_sections']

_BOUNDS = ('value', 'min', 'max')


def check_sections(job_id: str, output: dict, gates: dict, controls: dict, where: str) -> None:
    """Check the types of what stands inside three sections of a record.

    Args:
        job_id: Of the record; its image is called so.
        output: Section ``output``.
        gates: Section ``gates``.
        controls: Section ``controls``.
        where: Name of its place in an error.

    Raises:
        RecordError: If the new image lies outside the folder of the run or is that of another job,
            a caption is no text, a measurement no number, or a control neither true nor false.
    """
    entry = Entry(output, f'{where}, output')
    file = image_name(entry.take_or_none('file', str) or '', where)
    if file and PurePosixPath(file).stem != job_id:
        raise RecordError(f'{where}: image {file} is not that of job {job_id}')
    captions = entry.take_or_none('captions', list) or []
    if not all(isinstance(caption, str) for caption in captions):
        raise RecordError(f'{where}: captions must be strings')
    for name, verdict in gates.items():
        _check_verdict(Entry(verdict, f'{where}: gate {name!r}'))
    for name, passed in controls.items():
        if not isinstance(passed, bool):
            raise RecordError(f'{where}: control {name!r}: true or false, got {passed!r}')


def check_accepted(source: dict, edit: dict, output: dict, where: str) -> None:
    """Check that an accepted record says all that a pair is made of.

    Args:
        source: Section ``source``.
        edit: Section ``edit``.
        output: Section ``output``.
        where: Name of its place in an error.

    Raises:
        RecordError: If a key is missing or of a wrong type; setting the line aside mends it.
    """
    try:
        entry = Entry(source, f'{where}, source')
        entry.take('image', str), entry.take('split', str), entry.take('person_id', int)
        entry = Entry(output, f'{where}, output')
        entry.take('captions', list)
        if Entry(edit, f'{where}, edit').take('kind', str) != 'retell':
            entry.take('file', str)
    except RecordError as error:
        error.remedy = Remedy('set_aside')
        raise


def _check_verdict(verdict: Entry) -> None:
    ok = verdict.raw.get('ok')
    if not isinstance(ok, bool):
        raise RecordError(f"{verdict.where}: key 'ok' must be true or false, got {ok!r}")
    for key in _BOUNDS:
        if (number := verdict.raw.get(key)) is not None and not is_number(number):
            raise RecordError(f'{verdict.where}: {key!r} must be a number or null, got {number!r}')
