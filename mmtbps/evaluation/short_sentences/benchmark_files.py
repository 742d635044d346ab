"""Files of benchmarks of short sentences.

One JSON object::

    {"format": "mmtbps-short-sentences", "version": 1, "name": "...",
     "images": ["...", ...], "people": [7, ...],
     "sentences": [{"sentence": "red top", "group": "upper color", "attributes": ["red top"],
                    "true": [0, 5], "unsure": [3]}]}

Paths start from the folder of the file. ``true`` and ``unsure`` are places in ``images``: pictures
that show what the sentence says, and those of which nobody could tell; of all others it is false.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmtbps.errors import BadValue, MissingFile, RecordError
from mmtbps.fileio import decode_json, why_no_file

__all__ = ['ShortSentence', 'ShortSentenceBenchmark', 'read_short_sentences']

FORMAT, VERSION = 'mmtbps-short-sentences', 1


class ShortSentence(NamedTuple):
    """A sentence and its truth.

    Args:
        sentence: As it is typed.
        group: Line of the table.
        attributes: What it asks for.
        true: ``(N,)`` bool, the pictures that show it.
        unsure: ``(N,)`` bool, those that may.
    """

    sentence: str
    group: str
    attributes: tuple[str, ...]
    true: np.ndarray
    unsure: np.ndarray


@dataclass(frozen=True)
class ShortSentenceBenchmark:
    """A gallery, and sentences with the pictures that they are true of.

    Args:
        name: For the table.
        images: Paths of the N pictures.
        people: Their person ids.
        sentences: What is asked.
    """

    name: str
    images: tuple[str, ...]
    people: tuple[int, ...]
    sentences: tuple[ShortSentence, ...]


def read_short_sentences(path: str | Path,
                         images: str | Path | None = None) -> ShortSentenceBenchmark:
    """Read a benchmark of short sentences.

    Args:
        path: ``.json``, see the module.
        images: Folder that paths of pictures start from; by default that of the file.

    Raises:
        MissingFile: There is no such file, or a picture is missing.
        BadValue: It is no such benchmark.
        RecordError: A record is incomplete, or names places that the gallery does not have.
    """
    path = Path(path)
    if (why := why_no_file(path)) is not None:
        raise MissingFile(f'{path}: {why}')
    try:
        content = decode_json(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise BadValue(f'{path}: no JSON ({error})') from error
    if not isinstance(content, Mapping) or content.get('format') != FORMAT:
        raise BadValue(f'{path}: no benchmark of short sentences ("format": "{FORMAT}")')
    if content.get('version') != VERSION:
        raise BadValue(f'{path}: version {content.get("version")!r} of {FORMAT}; this one reads '
                       f'{VERSION}')
    names, people = content.get('images'), content.get('people')
    if not isinstance(names, list) or not isinstance(people, list) or len(names) != len(people):
        raise BadValue(f'{path}: images and people must be lists of one length')
    folder = Path(images) if images is not None else path.parent
    paths = [folder / name for name in names]
    if missing := [one for one in paths if not one.is_file()]:
        raise MissingFile(f'{path}: {len(missing)} of {len(paths)} pictures are missing, first '
                          f'{missing[0]}; name the folder that paths start from')
    asked = content.get('sentences', [])
    if not isinstance(asked, list):
        raise BadValue(f'{path}: sentences must be a list')
    sentences = tuple(_sentence(row, number, len(paths), path)
                      for number, row in enumerate(asked))
    if not sentences:
        raise BadValue(f'{path}: no sentence in it')
    return ShortSentenceBenchmark(str(content.get('name', path.stem)), tuple(map(str, paths)),
                                  tuple(people), sentences)


def _sentence(row: Any, number: int, count: int, path: Path) -> ShortSentence:
    where = f'{path}, sentence {number}'
    if not isinstance(row, Mapping) or not isinstance(row.get('sentence'), str):
        raise RecordError(f'{where}: sentence must be a text')
    true, unsure = (_places(row.get(key, ()), count, f'{where}: {key}')
                    for key in ('true', 'unsure'))
    if (true & unsure).any() or not true.any() or (true | unsure).all():
        raise RecordError(f'{where}: {row["sentence"]!r} must be true of some pictures and false '
                          'of others, and of none both true and unsure')
    attributes = row.get('attributes', [])
    if not isinstance(attributes, list):
        raise RecordError(f'{where}: attributes must be a list')
    return ShortSentence(row['sentence'], str(row.get('group', 'all')), tuple(attributes), true,
                         unsure)


def _places(places: Sequence, count: int, where: str) -> np.ndarray:
    marked = np.zeros(count, bool)
    if not isinstance(places, Sequence) or isinstance(places, str) or not all(
            type(place) is int and 0 <= place < count for place in places):
        raise RecordError(f'{where} must be places from 0 to {count - 1}')
    marked[list(places)] = True
    return marked
