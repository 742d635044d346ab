"""Files of search results: one HTML page that needs no other file, a picture, or JSON."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import check_writable, encode_json, refuse_store, write_durably
from mmtbps.markup import as_data_uri, load_template
from mmtbps.visualization import draw_rank_list, draw_rank_sheet

from .media.answer_mark import answer_mark
from .media.crops import read_entry
from .media.images import UnreadableImage
from .presentation import (
    describe_marking,
    describe_presence,
    describe_reading,
    describe_weighing,
    in_chances,
    in_figures,
    in_marks,
    in_words,
)
from .results import SearchHit, SearchResult

__all__ = ['results_html', 'check_target', 'write_results']

SUFFIXES = ('.html', '.png', '.json')
#: So many letters of a query are shown; a longer one is no caption any more.
_QUERY_LETTERS = 400
#: So many crops fit on a picture.
_PICTURE_HITS = 20
_DOT = ' \u00b7 '

_PAGE = Path(__file__).parent / 'templates/answer.html'
_NOTE = ('Ranked by a model from most to least alike. A rank is no identification: look at the '
         'pictures and check.')


def write_results(results: Sequence[SearchResult], path: str | os.PathLike,
                 images_root: str | os.PathLike) -> Path:
    """Write the results of a search to a file.

    Args:
        results: Of `TextToPersonInferencer`.
        path: ``.html`` with the pictures inside, ``.png`` with the first 20 of each query, or
            ``.json``.
        images_root: Folder that the paths of the entries are relative to.

    Returns:
        The file.

    Raises:
        ValueError: If the ending is another, or there is nothing to draw.
        FileNotFoundError: If there is no folder for the file.
    """
    path = check_target(path)
    if path.suffix.lower() == '.png':
        picture = draw_results(results, images_root)
        write_durably(path, lambda to: picture.save(to, 'PNG', pnginfo=answer_mark()))
    elif path.suffix.lower() == '.json':
        write_durably(path, encode_json([result.to_json() for result in results], 2) + '\n')
    else:
        write_durably(path, results_html(results, images_root))
    return path


def check_target(path: str | os.PathLike) -> Path:
    """Check that results can be written there, before anything is computed; returns the path.

    Raises:
        ValueError: If the ending is not one of `write_results`, or it is in an object store.
        FileNotFoundError: If there is no folder for the file.
        NotWritable: If nothing can be written there.
    """
    refuse_store(path)
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise BadValue(f'{path}: an answer is written as {", ".join(SUFFIXES)}')
    if not path.absolute().parent.is_dir():
        raise MissingFile(f'{path.parent}: no such folder')
    check_writable(path)
    return path


def results_html(results: Sequence[SearchResult], images_root: str | os.PathLike) -> str:
    """Make a page with the pictures inside it, light or dark as the reader's system is.

    It loads nothing and runs nothing, whatever the names of files or the metadata hold.

    Args:
        results: Of `TextToPersonInferencer`.
        images_root: Folder that the paths of the entries are relative to.
    """
    return load_template(_PAGE).render(
        note=_NOTE, sections=[_section(result, images_root) for result in results])


def draw_results(results: Sequence[SearchResult], images_root: str | os.PathLike) -> Any:
    """Draw one ranked list a query on a PIL image.

    Args:
        results: Of `TextToPersonInferencer`; queries without a hit are left out.
        images_root: Folder that the paths of the entries are relative to.

    Raises:
        ValueError: If no query has a hit.
    """
    found = [result for result in results if result.hits]
    if not found:
        raise BadValue('nothing was found, so there is nothing to draw')
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for number, result in enumerate(found):
            hits = result.hits[:_PICTURE_HITS]
            crops, reasons = zip(*(
                _lay_out(hit, images_root, Path(folder, f'{number}-{hit.rank}'))
                for hit in hits), strict=True)
            notes = [in_chances(hit.probability, hit.estimate) for hit in hits]
            rows.append(draw_rank_list(
                _short(result.title), crops, reasons=reasons, scores=[hit.score for hit in hits],
                title=_said(result), notes=notes if any(notes) else None,
                marks=[[(mark['phrase'], mark['mark']) for mark in hit.marks] for hit in hits]))
        return draw_rank_sheet(rows)


def _lay_out(hit: SearchHit, images_root: str | os.PathLike,
             folder: Path) -> tuple[Path, str | None]:
    """Save the crop as a file; return its path, and why it cannot be shown."""
    folder.mkdir()
    try:
        crop = read_entry(images_root, hit.entry)
    except UnreadableImage as error:
        return folder / Path(hit.entry.path).name, error.reason
    crop.thumbnail((512, 1024))
    crop.save(folder / 'crop.png')
    return folder / 'crop.png', None


def _section(result: SearchResult, images_root: str | os.PathLike) -> dict[str, Any]:
    """Collect what the template shows of one query."""
    hits = result.hits
    count = f'{len(hits)} found' if hits else 'Nothing found'
    return dict(title=_short(result.title), found=_DOT.join(filter(None, [count, _said(result)])),
                people=[_person(hit, images_root) for hit in hits])


def _said(result: SearchResult) -> str:
    """Word whether the person is there, what was not read or checked, and what was weighed."""
    return _DOT.join([*filter(None, [describe_presence(result.presence)]),
                      *describe_reading(result.unknown, result.read, result.unread),
                      *describe_marking(result.unchecked, result.marked_by),
                      *describe_weighing(result.weighed)])


def _person(hit: SearchHit, images_root: str | os.PathLike) -> dict[str, Any]:
    try:
        picture, lost = as_data_uri(read_entry(images_root, hit.entry)), ''
    except UnreadableImage as error:
        picture, lost = '', error.reason
    return dict(rank=hit.rank, picture=picture, lost=lost,
                score=in_figures(hit.score, hit.probability, hit.match, hit.estimate),
                facts=[('marks', in_marks(hit.marks)), *in_words(hit.entry),
                       ('and', hit.describe_others())])


def _short(query: str) -> str:
    words = ' '.join(query.split())
    return words if len(words) <= _QUERY_LETTERS else words[:_QUERY_LETTERS].rstrip() + ' ...'
