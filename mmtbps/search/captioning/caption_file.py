"""Files of captions, JSON or JSON Lines, by the paths of pictures."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import AnyPath, as_path

from ..galleries.base import GalleryEntry
from ..galleries.names import match_paths
from .sources import NoCaption

__all__ = ['CAPTION_SUFFIXES', 'JOIN', 'CaptionFile', 'read_caption_file']

CAPTION_SUFFIXES = ('.json', '.jsonl', '.ndjson')
#: Between several captions of one picture, as a gallery shows them.
JOIN = ' / '
_PATHS = ('path', 'file_path', 'img_path', 'image')
_TEXTS = ('captions', 'caption')


class CaptionFile:
    """Captions of a file. The gallery notes that they came from one, and keeps each caption.

    So a file may grow or be mended: a picture whose caption is another now is indexed anew, and one
    that the file has not keeps what it has.

    Args:
        path: See `read_caption_file`.

    Raises:
        BadValue: Naming file and line of what is wrong.
        MissingFile: There is no such file.
    """

    of_people = False
    identity = dict(captioner='FILE')

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path
        self.table = self._known = read_caption_file(path)

    def start(self, paths: Sequence[str], root: AnyPath) -> None:
        """Find the captions of files.

        Raises:
            BadValue: No file has one, as where paths are relative to another folder.
        """
        found = match_paths(self.table, paths, root)
        self._known = {found[name]: texts for name, texts in self.table.items() if name in found}
        if paths and not self._known:
            raise BadValue(f'{self.path} has a caption of no picture: it names '
                           f'{next(iter(self.table))!r}, and a picture is {paths[0]!r}; paths are '
                           f'relative to {root}')

    def captions(self, entry: GalleryEntry, image: Image.Image) -> list[str]:
        """Return the captions of a picture.

        Raises:
            NoCaption: The file has none of it.
        """
        if entry.path not in self._known:
            raise NoCaption(f'{as_path(self.path).name} has no caption of it')
        return self._known[entry.path]

    def is_current(self, entries: Sequence[GalleryEntry]) -> bool:
        """Tell whether the file has the same captions of a picture, or none."""
        return all(entry.path not in self._known
                   or JOIN.join(self._known[entry.path]) == entry.caption for entry in entries)


def read_caption_file(path: str | os.PathLike) -> dict[str, list[str]]:
    """Read captions by path.

    A ``.json`` file is an object of paths with a caption or a list of them, or a list of records;
    a ``.jsonl`` or ``.ndjson`` file has a record a line. A record has ``path`` (or ``file_path``,
    ``img_path``, ``image``), and ``caption`` or ``captions``, as the annotations of data sets have.
    A caption that is empty or ``null`` is none.

    Args:
        path: The file, in UTF-8, or its address in an object store.

    Returns:
        The captions of each path, relative to the images' root, in the order of the file.

    Raises:
        BadValue: Naming file, place and what is wrong.
        MissingFile: There is no such file.
    """
    file = as_path(path)
    if file.suffix.lower() not in CAPTION_SUFFIXES:
        raise BadValue(f'{path}: captions are read of {", ".join(CAPTION_SUFFIXES)}')
    if not file.is_file():
        raise MissingFile(f'{path}: no such file of captions')
    table: dict[str, list[str]] = {}
    try:
        text = file.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise BadValue(f'{path}: not in UTF-8 ({error})') from error
    for where, name, captions in _rows(text, str(path), file.suffix.lower() == '.json'):
        texts = [captions] if isinstance(captions, str) else captions or []
        if not isinstance(name, str) or not isinstance(texts, list) or not all(
                isinstance(one, str) for one in texts):
            raise BadValue(f'{where}: a caption, or a list of captions, of a path is needed')
        table.setdefault(name, []).extend(' '.join(one.split()) for one in texts if one.strip())
    if not any(table.values()):
        raise BadValue(f'{path}: no caption in it')
    return {name: texts for name, texts in table.items() if texts}


def _rows(text: str, name: str, whole: bool) -> Iterator[tuple[str, Any, Any]]:
    """Yield place, path and captions of each row."""
    if whole:
        found = _decode(text, name)
        if isinstance(found, dict):
            yield from ((f'{name}: {key!r}', key, value) for key, value in found.items())
            return
        if not isinstance(found, list):
            raise BadValue(f'{name}: expected an object or a list')
        rows = [(f'{name}: record {place}', row) for place, row in enumerate(found)]
    else:
        rows = [(f'{name}:{number}', _decode(line, f'{name}:{number}'))
                for number, line in enumerate(text.split('\n'), start=1) if line.strip()]
    for where, row in rows:
        path = next((row[key] for key in _PATHS if key in row), None) if isinstance(
            row, dict) else None
        if path is None or not any(key in row for key in _TEXTS):
            raise BadValue(f"{where}: expected an object with 'path' and 'caption'")
        yield where, path, next(row[key] for key in _TEXTS if key in row)


def _decode(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadValue(f'{where}: broken JSON ({error})') from error
