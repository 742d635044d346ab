"""Files of binding benchmarks: ours, and the layouts of SugarCrepe, of ColorSwap and of a table.

Ours is one JSON object::

    {"format": "mmtbps-binding", "version": 1, "name": "...",
     "captions": "FILE",                                      training captions, if known
     "items": [{"image": "...", "caption": "...", "negative": "...", "kind": "permuted",
                "group": "permuted"}],
     "pairs": [{"images": ["...", "..."], "captions": ["...", "..."], "kind": "permuted"}]}

Paths start from the folder of the file. ``kind`` is a line of the table; the kinds of one ``group``
are balanced against each other, so that a scorer that sees no picture is right in half of them.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.errors import BadValue, MissingFile, RecordError
from mmtbps.fileio import decode_json, why_no_file

__all__ = ['BindingBenchmark', 'BindingItem', 'BindingPair', 'read_binding']

FORMAT, VERSION = 'mmtbps-binding', 1
_COLUMNS = ('image', 'caption', 'negative')


class BindingItem(NamedTuple):
    """A picture, its caption, and one that is wrong.

    Args:
        image: Path.
        caption: True of it.
        negative: Not true of it.
        kind: What is wrong.
        group: Of kinds that are balanced against each other.
    """

    image: str
    caption: str
    negative: str
    kind: str
    group: str


class BindingPair(NamedTuple):
    """Two pictures with their captions, each of which is wrong of the other picture.

    Args:
        images: Paths.
        captions: In the same order.
        kind: What differs.
    """

    images: tuple[str, str]
    captions: tuple[str, str]
    kind: str


@dataclass(frozen=True)
class BindingBenchmark:
    """A benchmark of attribute binding.

    Args:
        name: For the table.
        items: Pictures with a caption and a negative each.
        pairs: Pairs of pictures.
        captions: File of training captions, for a scorer that sees no picture; ``None`` if the
            benchmark names none.
    """

    name: str
    items: tuple[BindingItem, ...]
    pairs: tuple[BindingPair, ...] = ()
    captions: Path | None = None


def read_binding(path: str | Path, images: str | Path | None = None) -> BindingBenchmark:
    """Read a benchmark in any of the known layouts.

    * ours, see the module;
    * SugarCrepe: an object of ``{"filename", "caption", "negative_caption"}`` by number, the kind
      being the name of the file;
    * ColorSwap: a list of ``{"image_1", "image_2", "caption_1", "caption_2"}``;
    * a CSV with the columns ``image,caption,negative`` and perhaps ``kind``.

    Args:
        path: ``.json`` or ``.csv``.
        images: Folder that paths of pictures start from; by default that of the file.

    Raises:
        MissingFile: There is no such file, or a picture is missing.
        BadValue: It is in none of these layouts.
        RecordError: A record lacks something, or its negative is its caption.
    """
    path = Path(path)
    if (why := why_no_file(path)) is not None:
        raise MissingFile(f'{path}: {why}')
    folder = Path(images) if images is not None else path.parent
    if path.suffix.lower() == '.csv':
        benchmark = _read_csv(path, folder)
    else:
        try:
            content = decode_json(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise BadValue(f'{path}: no JSON ({error})') from error
        benchmark = _read_content(content, path, folder)
    if not benchmark.items and not benchmark.pairs:
        raise BadValue(f'{path}: no item in it')
    return benchmark


def _read_content(content: Any, path: Path, folder: Path) -> BindingBenchmark:
    if isinstance(content, Mapping) and content.get('format') == FORMAT:
        return _read_own(content, path, folder)
    rows = list(content.values()) if isinstance(content, Mapping) else content
    first = rows[0] if isinstance(rows, Sequence) and rows and not isinstance(rows, str) else None
    if isinstance(first, Mapping) and 'negative_caption' in first:
        return BindingBenchmark(path.stem, tuple(
            _item(row, number, path, folder, ('filename', 'caption', 'negative_caption'), path.stem)
            for number, row in enumerate(rows)))
    if isinstance(first, Mapping) and 'image_1' in first:
        return BindingBenchmark(path.stem, (), tuple(
            _pair([_text(row, key, number, path) for key in ('image_1', 'image_2')],
                  [_text(row, key, number, path) for key in ('caption_1', 'caption_2')],
                  path.stem, number, path, folder) for number, row in enumerate(rows)))
    raise BadValue(f'{path}: no binding benchmark: neither "format": "{FORMAT}", nor records with '
                   'negative_caption (SugarCrepe) or image_1 (ColorSwap)')


def _read_own(content: Mapping, path: Path, folder: Path) -> BindingBenchmark:
    if content.get('version') != VERSION:
        raise BadValue(f'{path}: version {content.get("version")!r} of {FORMAT}; this one reads '
                       f'{VERSION}')
    for key in ('items', 'pairs'):
        if not isinstance(content.get(key, []), list):
            raise BadValue(f'{path}: {key} must be a list')
    items = tuple(_item(row, number, path, folder, _COLUMNS, 'items')
                  for number, row in enumerate(content.get('items', ())))
    pairs = []
    for number, row in enumerate(content.get('pairs', ())):
        sides = [row.get(key) if isinstance(row, Mapping) else None
                 for key in ('images', 'captions')]
        if not all(isinstance(side, list) and len(side) == 2 and all(
                isinstance(one, str) and one.strip() for one in side) for side in sides):
            raise RecordError(f'{path}, pair {number}: images and captions must be two each')
        pairs.append(_pair(*sides, str(row.get('kind', 'pairs')), number, path, folder))
    captions = content.get('captions')
    return BindingBenchmark(str(content.get('name', path.stem)), items, tuple(pairs),
                            path.parent / captions if captions else None)


def _read_csv(path: Path, folder: Path) -> BindingBenchmark:
    with path.open(encoding='utf-8-sig', newline='') as file:
        reader = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadValue(f'{path}: no column {", ".join(missing)}; the first line must name '
                           f'{",".join(_COLUMNS)} and may name kind')
        return BindingBenchmark(path.stem, tuple(
            _item(row, number, path, folder, _COLUMNS, path.stem)
            for number, row in enumerate(reader)))


def _item(row: Any, number: int, path: Path, folder: Path, keys: Sequence[str],
          kind: str) -> BindingItem:
    image, caption, negative = (_text(row, key, number, path) for key in keys)
    if caption.split() == negative.split():
        raise RecordError(f'{path}, item {number}: the negative is the caption: {caption!r}')
    kind = row.get('kind') or kind
    return BindingItem(_picture(image, number, path, folder), caption, negative, str(kind),
                       str(row.get('group') or kind))


def _pair(images: Sequence[str], captions: Sequence[str], kind: str, number: int, path: Path,
          folder: Path) -> BindingPair:
    if captions[0].split() == captions[1].split():
        raise RecordError(f'{path}, pair {number}: both captions are {captions[0]!r}')
    return BindingPair(tuple(_picture(image, number, path, folder) for image in images),
                       tuple(captions), kind)


def _text(row: Any, key: str, number: int, path: Path) -> str:
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise RecordError(f'{path}, item {number}: {key} must be a text, got {value!r}')
    return value


def _picture(name: str, number: int, path: Path, folder: Path) -> str:
    picture = folder / name
    if not picture.is_file():
        raise MissingFile(f'{path}, item {number}: no picture {picture}; name the folder that '
                          'paths start from')
    return str(picture)
