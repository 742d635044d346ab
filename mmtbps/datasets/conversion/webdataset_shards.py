"""Tar shards of the package `webdataset`: files of one key side by side, image and JSON."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, first_line
from mmtbps.fileio import (
    IMAGE_SUFFIXES,
    AnyPath,
    decode_json,
    encode_json,
    is_remote,
    open_bytes,
)
from mmtbps.fileio.tar_images import TAR_FAULTS, WholeHeader
from mmtbps.records import Entry

from .layouts import (
    LAYOUTS,
    Row,
    RowSource,
    check_captions,
    list_files,
    our_split,
    refuse_pictures,
    restore_record,
    split_of_file,
)

__all__ = ['SHARD_SUFFIXES', 'read_webdataset', 'write_webdataset']

SHARD_SUFFIXES = ('.tar', '.tar.gz', '.tgz')
_TEXTS = ('txt', 'caption', 'text')
#: Bytes of a member; a few bytes of a shard may claim to be a file of any size.
_MOST_BYTES = 256 * 2**20


def read_webdataset(place: AnyPath, split: str | None = None) -> RowSource:
    """Read a shard, or all of a folder, in the order of their names.

    Of a sample there is an image, and a ``json`` with ``captions`` (or ``caption``, or a ``txt``
    beside it), ``person_id`` (or ``id``) and ``split``; a further key stays. The path of an image
    is what its JSON says, else its name in the shard; of several shards, which often count from 0
    each, below the shard's.

    Args:
        place: ``.tar`` file, also compressed, or folder; or its address in an object store.
        split: of samples that do not say it.

    Raises:
        BadValue: there is no shard, or it is damaged.
        RecordError: later, a sample lacks something; shard and key are named.
    """
    files = list_files(place, SHARD_SUFFIXES)
    if not files:
        raise BadValue(f'{place}: no shard (*.tar) in it')
    rows = (row for file in files for row in _rows_of(file, split, len(files) > 1))
    return RowSource(rows, 'jsonl', LAYOUTS['jsonl'].ann_files[0], None)


def _rows_of(file: AnyPath, split: str | None, several: bool) -> Iterator[Row]:
    split = split or split_of_file(file)
    folder = f'{file.name.split(".")[0]}/' if several else ''
    for key, parts in _samples(file):
        yield _row_of(key, parts, split, folder, f'{file}, key {key}')


def _samples(file: AnyPath) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield key and files, by their suffix, of each sample; only regular members are read."""
    key, parts = None, {}
    try:
        # Of a store a stream, in which nothing is sought.
        with open_bytes(file) as content, tarfile.open(
                fileobj=content, mode='r|*' if is_remote(file) else 'r:*',
                tarinfo=WholeHeader) as shard:
            for member in shard:
                shard.members.clear()  # it would hold all of them
                if not member.isfile():
                    continue
                if member.size > _MOST_BYTES:
                    raise BadValue(f'{file}: {member.name} has {member.size:,} bytes, more than '
                                   f'the {_MOST_BYTES:,} of any image')
                folder, _, name = member.name.rpartition('/')
                stem, _, suffix = name.partition('.')
                own = f'{folder}/{stem}' if folder else stem
                if own != key:
                    if parts:
                        yield key, parts
                    key, parts = own, {}
                parts[suffix.lower()] = shard.extractfile(member).read()
    except TAR_FAULTS as error:
        raise BadValue(f'{file}: no tar file, or damaged ({first_line(error)})') from error
    if parts:
        yield key, parts


def _image_suffix(suffixes: Iterable[str]) -> str | None:
    """Find the image of a sample, be it called ``.jpg`` or, as of some sets, ``.jpg.jpg``."""
    return next((suffix for suffix in sorted(suffixes, key=lambda suffix: suffix.count('.'))
                 if f'.{suffix.rpartition(".")[2]}' in IMAGE_SUFFIXES), None)


def _row_of(key: str, parts: dict[str, bytes], split: str | None, folder: str,
            where: str) -> Row:
    suffix = _image_suffix(parts)
    if suffix is None:
        raise BadValue(f'{where}: no image among {", ".join(parts)}')
    try:
        raw: Any = decode_json(parts.get('json', b'{}').decode('utf-8'))
        text = next((parts[name].decode('utf-8') for name in _TEXTS if name in parts), None)
    except (ValueError, RecursionError) as error:
        raise BadValue(f'{where}: its JSON or text cannot be read ({first_line(error)})'
                       ) from error
    raw = Entry(raw, where).raw
    named = {name: raw.pop(name) for name in ('caption', 'id') if name in raw}
    caption = named.get('caption', text)
    known = dict(image=f'{folder}{key}.{suffix}', split=split, person_id=named.get('id'),
                 captions=[caption.strip()] if isinstance(caption, str) else caption)
    entry = Entry({**{name: value for name, value in known.items() if value is not None}, **raw},
                  where)
    data, captions, split = parts[suffix], entry.take('captions', list), entry.take('split', str)
    check_captions(captions, where)
    return Row(entry.take('image', str), tuple(captions), entry.take('person_id', int),
               our_split(split) or split, raw,
               int(key) if key.isascii() and key.isdigit() else None, where, lambda: data)


def write_webdataset(source: RowSource, folder: Path, left_out: Any,
                     shard_size: int = 500_000_000) -> None:
    """Write rows as ``SPLIT-000000.tar`` and so on, a sample each with image and JSON.

    Args:
        source: of the rows, with images.
        folder: an empty one.
        left_out: counts the keys that the JSON does not take.
        shard_size: bytes after which the next shard begins.

    Raises:
        BadValue: a row has no image; or there is no row.
        RecordError: a row has images beside its own.
    """
    open_shards: dict[str, tarfile.TarFile] = {}
    counts: dict[str, int] = {}
    try:
        for number, row in enumerate(source.rows):
            if row.read is None:
                raise BadValue(f'{row.where}: it has a path alone, and a shard needs the image')
            refuse_pictures(row)
            if not row.split.isidentifier():
                raise BadValue(f'{row.where}: split {row.split!r} is no name of a file')
            if row.split not in open_shards:
                name = f'{row.split}-{counts.get(row.split, 0):06d}.tar'
                open_shards[row.split] = tarfile.open(folder / name, 'w')
                counts[row.split] = counts.get(row.split, 0) + 1
            shard = open_shards[row.split]
            record = restore_record(row, source.layout, 'jsonl', left_out)
            suffix = Path(row.image).suffix.lower() or '.jpg'
            _add(shard, f'{number:09d}{suffix}', row.read())
            _add(shard, f'{number:09d}.json', encode_json(record).encode())
            if shard.offset >= shard_size:
                open_shards.pop(row.split).close()
    finally:
        for shard in open_shards.values():
            shard.close()
    if not counts:
        raise BadValue('no record in it; is the copy complete?')


def _add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    shard.addfile(member, io.BytesIO(data))
