"""Packing of a folder of images into shards; see `mmtbps.datasets.packed` for the format."""

import contextlib
import io
import itertools
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn, track

from mmtbps.errors import BadValue, Remedy, UserError
from mmtbps.fileio import LockTaken, check_writable, file_lock, is_image, write_durably
from mmtbps.records import leads_outside

from .packed import SUFFIX, PackedImages, PackedImagesError, index_dtype, read_shard

_BLOCK = tarfile.BLOCKSIZE
_NO_IMAGE = 'no image by its suffix'


class NoImageFolder(UserError, NotADirectoryError):
    """A folder of images that is not there."""


class SkippedFile(NamedTuple):
    """A file that was not packed, with the reason."""

    name: str
    reason: str

    @property
    def harmless(self) -> bool:
        """True if it is just another kind of file, such as an annotation file."""
        return self.reason == _NO_IMAGE

    def __str__(self) -> str:
        return f'{self.name}: {self.reason}'


class PackingResult(NamedTuple):
    """Counts of a packing: images packed now, images there before; and the files left out."""

    packed: int
    before: int
    skipped: list[SkippedFile]


def pack_images(folder: str | os.PathLike, out: str | os.PathLike, shard_size: int = 10**9,
                workers: int = 1, progress: bool = False) -> PackingResult:
    """Pack the images below a folder; start again to go on, or to add new images.

    A shard is written under another name, brought to disk and renamed, its index before it: one
    that can be seen is whole, whenever the process is killed. Shards that are there stay as they
    are; a missing index is made anew from its shard. The bytes of an image are not touched, nor
    looked at.

    Args:
        folder: Images in any sub-folders; links are followed.
        out: The new folder, whose name ends in ``.tars``.
        shard_size: Bytes after which the next shard begins.
        workers: Shards written at the same time.
        progress: Show a bar.

    Returns:
        Counts, and the files left out: no image by its suffix, unreadable, or with a name that
        cannot be packed.

    Raises:
        NoImageFolder: If there is no such folder of images, or no image in it.
        BadValue: If ``out`` is not named so, or lies in ``folder``.
        PackedImagesError: If a shard that is there is broken, or another process packs here.
        NotWritable: If nothing can be written in ``out``.
        DiskFull: If the disk is full; what is finished stays.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise NoImageFolder(f'{folder}: no such folder of images')
    if out.suffix != SUFFIX:
        raise BadValue(f'{out}: the folder of packed images must be named *{SUFFIX}, by which '
                       f'data sets know it; take {out.name}{SUFFIX}')
    if out.resolve().is_relative_to(folder.resolve()):
        raise BadValue(f'{out} lies in {folder} itself; put it beside that folder')
    check_writable(out, folder=True)
    found, others = find_packable_images(folder, progress)
    if not found:
        raise NoImageFolder(f'{folder}: no image to pack below this folder')
    out.mkdir(parents=True, exist_ok=True)
    with _packing_lock(out):
        skipped = _tidy_up(out)
        known = set(PackedImages(out)) if any(out.glob('*.tar')) else set()
        missing = [image for image in found if image[0] not in known]
        jobs = list(zip(_free_numbers(out), _groups(missing, shard_size), strict=False))
        unread = _write_all(jobs, folder, out, workers, len(missing), progress)
    return PackingResult(len(missing) - len(unread), len(found) - len(missing),
                         skipped + others + unread)


def find_packable_images(
        folder: str | os.PathLike,
        progress: bool = False) -> tuple[list[tuple[str, int]], list[SkippedFile]]:
    """Find ``(name, size)`` of each image below a folder, by name, and the files left out."""
    found, skipped = [], []
    for path, size in track(_walk(os.fspath(folder)), 'looking for images', disable=not progress):
        name = os.path.relpath(path, folder).replace(os.sep, '/')
        if size is None:
            skipped.append(SkippedFile(name, 'unreadable'))
        elif not is_image(name):
            skipped.append(SkippedFile(name, _NO_IMAGE))
        elif reason := refusal(name):
            skipped.append(SkippedFile(name, reason))
        else:
            found.append((name, size))
    return sorted(found, key=lambda image: _encode(image[0])), skipped


def refusal(name: str) -> str | None:
    """Return the reason why an image must not have this name in a shard, ``None`` if it may.

    >>> refusal('../etc/passwd')
    'unsafe name'
    >>> refusal('cam_a/1.jpg')
    """
    parts = name.split('/')
    if leads_outside(name) or '..' in parts or '\\' in name or '\0' in name:
        return 'unsafe name'
    if name in ('', '.') or any(part.endswith(SUFFIX) for part in parts[:-1]):
        return f'name that cannot be found again (a folder *{SUFFIX} in it)'
    return None


def index_shard(tar: Path) -> tuple[np.ndarray, list[SkippedFile]]:
    """Read the index of any uncompressed tar file, and its members left out.

    Left out, without being opened, are links, devices and sparse files, and names that are
    absolute or lead out of the folder. The last of equal names counts, as tar has it.

    Raises:
        PackedImagesError: If the file is no tar file, or ends too early.
    """
    entries, skipped = {}, []
    try:
        with tarfile.open(tar, 'r:', errors='surrogateescape', encoding='utf-8') as members, \
                open(tar, 'rb') as data:
            for member in members:
                if member.isdir():
                    continue
                name, reason = posixpath.normpath(member.name), refusal(member.name)
                if not member.isreg() or member.issparse():
                    reason = 'no plain file'
                if reason:
                    skipped.append(SkippedFile(f'{tar.name}: {name}', reason))
                    continue
                data.seek(member.offset_data)
                checksum = _checksum(data, member.size)
                entries[_encode(name)] = (member.offset_data, member.size, checksum)
    except (tarfile.TarError, EOFError) as error:
        raise PackedImagesError(f'{tar}: broken tar file ({error}). Delete it and pack the same '
                                'folder again, which packs its images once more',
                                Remedy('pack_images', dict(out=tar.parent))) from error
    return make_index(entries), skipped


def make_index(entries: dict[bytes, tuple[int, int, int]]) -> np.ndarray:
    """Make the sorted array of ``{name: (offset, size, crc)}``."""
    dtype = index_dtype(max(map(len, entries), default=1))
    return np.array([(name, *entries[name]) for name in sorted(entries)], dtype=dtype)


def write_shard(names: Iterable[str], folder: Path, tar: Path,
                advance: Callable[[], None] = lambda: None) -> list[SkippedFile]:
    """Write one shard and its index; return the files that could not be read.

    Equal images give equal files: owner and time of the originals are not kept. Where no image
    can be read there is no shard.
    """
    skipped = []

    def fill(partial: Path) -> None:
        entries = _fill_tar(partial, names, folder, skipped, advance)
        if not entries:
            raise _EmptyShard
        write_index(tar, make_index(entries))  # before the shard: it counts once it has its name

    with contextlib.suppress(_EmptyShard):
        write_durably(tar, fill)
    return skipped


class _EmptyShard(Exception):
    """A shard without a single readable image."""


def _fill_tar(path: Path, names: Iterable[str], folder: Path, skipped: list[SkippedFile],
              advance: Callable[[], None]) -> dict[bytes, tuple[int, int, int]]:
    """Write a tar file; return ``{name: (offset, size, crc)}``, and add to ``skipped``."""
    entries = {}
    with open(path, 'wb') as file, \
            tarfile.open(fileobj=file, mode='w', format=tarfile.GNU_FORMAT, encoding='utf-8',
                         errors='surrogateescape') as shard:
        for name in names:
            advance()
            try:
                data = (folder / name).read_bytes()
            except OSError as error:
                skipped.append(SkippedFile(name, f'unreadable ({error.strerror})'))
                continue
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
            padded = -(-len(data) // _BLOCK) * _BLOCK
            entries[_encode(name)] = (file.tell() - padded, len(data), zlib.crc32(data))
    return entries


def write_index(tar: Path, index: np.ndarray) -> None:
    """Write the index of a shard so that it is whole or not there."""
    data = io.BytesIO()
    np.save(data, index, allow_pickle=False)
    write_durably(tar.with_suffix('.npy'), data.getvalue())


def differing(folder: str | os.PathLike,
              out: str | os.PathLike) -> Iterator[tuple[str, str | None]]:
    """Compare each image below a folder with its packed bytes.

    Yields:
        ``(name, fault)``, the fault being ``None`` where the bytes are equal.
    """
    packed = PackedImages(out)
    for name, _ in find_packable_images(folder)[0]:
        wrong = None
        try:
            if packed.read(name) != Path(folder, name).read_bytes():
                wrong = 'other bytes than the original'
        except FileNotFoundError:
            wrong = 'not packed'
        except OSError as error:
            wrong = str(error)
        yield name, wrong


def _walk(folder: str, above: tuple = ()) -> Iterator[tuple[str, int | None]]:
    """Yield path and size of all files; a link to a folder around it is not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat()
                if entry.is_file():
                    yield entry.path, status.st_size
                elif entry.is_dir() and (own := (status.st_dev, status.st_ino)) not in above:
                    yield from _walk(entry.path, (*above, own))
            except OSError:
                yield entry.path, None


def _tidy_up(out: Path) -> list[SkippedFile]:
    """Remove what a killed process left half-written, and index shards that lack an index."""
    skipped = []
    for partial in out.glob('*.partial'):
        partial.unlink()
    for index in out.glob('*.npy'):  # written before its shard
        if index.stem.isdigit() and not index.with_suffix('.tar').exists():
            index.unlink()
    for tar in sorted(out.glob('*.tar')):
        if not tar.with_suffix('.npy').exists():
            index, unsafe = index_shard(tar)
            write_index(tar, index)
            skipped += unsafe
        read_shard(tar)
    return skipped


def _free_numbers(out: Path) -> Iterator[int]:
    """Count the numbers that no shard has: first those which a kill left out."""
    taken = {int(tar.stem) for tar in out.glob('*.tar') if tar.stem.isdigit()}
    return (number for number in itertools.count() if number not in taken)


def _groups(images: list[tuple[str, int]], shard_size: int) -> list[list[str]]:
    """Plan the names of each shard: runs of images that reach ``shard_size`` bytes."""
    groups, size = [], shard_size
    for name, bytes_of_image in images:
        if size >= shard_size:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += bytes_of_image
    return groups


def _write_all(jobs: list[tuple[int, list[str]]], folder: Path, out: Path, workers: int,
               total: int, progress: bool) -> list[SkippedFile]:
    with _bar(total, progress) as advance:
        pool = ThreadPoolExecutor(workers)
        try:
            written = [pool.submit(write_shard, names, folder, out / f'{number:06d}.tar', advance)
                       for number, names in jobs]
            return [file for job in written for file in job.result()]
        finally:
            pool.shutdown(cancel_futures=True)  # after an error no further shard is begun


@contextlib.contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    with Progress('packing', BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                  disable=not shown) as bar:
        task = bar.add_task('packing', total=total)
        yield lambda: bar.advance(task)


@contextlib.contextmanager
def _packing_lock(out: Path) -> Iterator[None]:
    """Let one process at a time pack into a folder."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_lock(out / '.lock', wait=False))
        except LockTaken as error:
            raise PackedImagesError(f'{out}: another process is packing here; wait for it, or '
                                    'stop it') from error
        yield


def _checksum(data: io.BufferedReader, size: int) -> int:
    checksum = 0
    while size > 0 and (piece := data.read(min(size, 1 << 20))):
        checksum = zlib.crc32(piece, checksum)
        size -= len(piece)
    return checksum


def _encode(name: str) -> bytes:
    return name.encode('utf-8', 'surrogateescape')
