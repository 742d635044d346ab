"""From a folder of images to a folder of packed images; see `mmtbps.datasets.packed`."""

import io
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn, track

from .packed import SUFFIX, PackedImages, PackedImagesError, index_dtype, read_shard

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')
_BLOCK = tarfile.BLOCKSIZE
_NO_IMAGE = 'no image by its suffix'


class Left(NamedTuple):
    """A file that was not packed, and why."""

    name: str
    reason: str

    @property
    def harmless(self) -> bool:
        """Whether it is just another kind of file, such as an annotation file."""
        return self.reason == _NO_IMAGE

    def __str__(self) -> str:
        return f'{self.name}: {self.reason}'


class Packing(NamedTuple):
    """What came of it: images packed now, images there before, files left out."""

    packed: int
    before: int
    left: list[Left]


def pack_images(folder: str | os.PathLike, out: str | os.PathLike, shard_size: int = 10**9,
                workers: int = 1, progress: bool = False) -> Packing:
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
        NotADirectoryError: If there is no such folder of images.
        ValueError: If ``out`` is not named so, or lies in ``folder``.
        PackedImagesError: If a shard that is there is broken, or another process packs here.
        OSError: If the disk is full; what is finished stays.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise NotADirectoryError(f'{folder}: no such folder of images')
    if out.suffix != SUFFIX:
        raise ValueError(f'{out}: the folder of packed images must be named *{SUFFIX}, by which '
                         f'data sets know it; take {out.name}{SUFFIX}')
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f'{out} lies in {folder} itself; put it beside that folder')
    out.mkdir(parents=True, exist_ok=True)
    with _only_one(out):
        left = _tidy_up(out)
        known = set(PackedImages(out)) if any(out.glob('*.tar')) else set()
        found, others = find_images(folder, progress)
        missing = [image for image in found if image[0] not in known]
        jobs = _shards(missing, shard_size, first=_next_number(out))
        unread = _write_all(jobs, folder, out, workers, len(missing), progress)
    return Packing(len(missing) - len(unread), len(found) - len(missing), left + others + unread)


def find_images(folder: str | os.PathLike,
                progress: bool = False) -> tuple[list[tuple[str, int]], list[Left]]:
    """``(name, size)`` of each image below a folder, by name, and the files left out."""
    found, left = [], []
    for path, size in track(_walk(os.fspath(folder)), 'looking for images', disable=not progress):
        name = os.path.relpath(path, folder).replace(os.sep, '/')
        if size is None:
            left.append(Left(name, 'unreadable'))
        elif not name.lower().endswith(IMAGE_SUFFIXES):
            left.append(Left(name, _NO_IMAGE))
        elif reason := refusal(name):
            left.append(Left(name, reason))
        else:
            found.append((name, size))
    return sorted(found, key=lambda image: _encode(image[0])), left


def refusal(name: str) -> str | None:
    """Why an image must not have this name in a shard, or ``None`` if it may.

    >>> refusal('../etc/passwd')
    'unsafe name'
    >>> refusal('cam_a/1.jpg')
    """
    parts = name.split('/')
    if name.startswith('/') or '..' in parts or '\\' in name or '\0' in name:
        return 'unsafe name'
    if name in ('', '.') or any(part.endswith(SUFFIX) for part in parts[:-1]):
        return f'name that cannot be found again (a folder *{SUFFIX} in it)'
    return None


def index_shard(tar: Path) -> tuple[np.ndarray, list[Left]]:
    """The index of any uncompressed tar file, and its members left out.

    Left out, without being opened, are links, devices and sparse files, and names that are
    absolute or lead out of the folder. The last of equal names counts, as tar has it.

    Raises:
        PackedImagesError: If the file is no tar file, or ends too early.
    """
    entries, left = {}, []
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
                    left.append(Left(f'{tar.name}: {name}', reason))
                    continue
                data.seek(member.offset_data)
                checksum = _checksum(data, member.size)
                entries[_encode(name)] = (member.offset_data, member.size, checksum)
    except (tarfile.TarError, EOFError) as error:
        raise PackedImagesError(f'{tar}: broken tar file ({error}). Delete it and run '
                                '`python tools/pack_images.py` again, which packs its images '
                                'once more') from error
    return make_index(entries), left


def make_index(entries: dict[bytes, tuple[int, int, int]]) -> np.ndarray:
    """The sorted array of ``{name: (offset, size, crc)}``."""
    dtype = index_dtype(max(map(len, entries), default=1))
    return np.array([(name, *entries[name]) for name in sorted(entries)], dtype=dtype)


def write_shard(names: Iterable[str], folder: Path, tar: Path,
                advance: Callable[[], None] = lambda: None) -> list[Left]:
    """Write one shard and its index; returns what could not be read.

    Equal images give equal files: owner and time of the originals are not kept.
    """
    entries, left = {}, []
    partial = tar.with_name(f'{tar.name}.partial')
    with open(partial, 'wb') as file:
        with tarfile.open(fileobj=file, mode='w', format=tarfile.GNU_FORMAT, encoding='utf-8',
                          errors='surrogateescape') as shard:
            for name in names:
                advance()
                try:
                    data = (folder / name).read_bytes()
                except OSError as error:
                    left.append(Left(name, f'unreadable ({error.strerror})'))
                    continue
                member = tarfile.TarInfo(name)
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
                padded = -(-len(data) // _BLOCK) * _BLOCK
                entries[_encode(name)] = (file.tell() - padded, len(data), zlib.crc32(data))
        _to_disk(file)
    if entries:
        write_index(tar, make_index(entries))
        os.replace(partial, tar)  # from here on the shard counts
        _folder_to_disk(tar.parent)
    else:
        partial.unlink()
    return left


def write_index(tar: Path, index: np.ndarray) -> None:
    """Write the index of a shard so that it is whole or not there."""
    path = tar.with_suffix('.npy')
    partial = path.with_name(f'{path.name}.partial')
    with open(partial, 'wb') as file:
        np.save(file, index, allow_pickle=False)
        _to_disk(file)
    os.replace(partial, path)


def differing(folder: str | os.PathLike,
              out: str | os.PathLike) -> Iterator[tuple[str, str | None]]:
    """Compare each image below a folder with its packed bytes: ``(name, what is wrong)``."""
    packed = PackedImages(out)
    for name, _ in find_images(folder)[0]:
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
    """Path and size of all files; a link to a folder that it lies in itself is not followed."""
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


def _tidy_up(out: Path) -> list[Left]:
    """Removes what a killed process left half-written, and indexes shards that lack an index."""
    left = []
    for partial in out.glob('*.partial'):
        partial.unlink()
    for tar in sorted(out.glob('*.tar')):
        if not tar.with_suffix('.npy').exists():
            index, unsafe = index_shard(tar)
            write_index(tar, index)
            left += unsafe
        read_shard(tar)
    return left


def _next_number(out: Path) -> int:
    return 1 + max((int(tar.stem) for tar in out.glob('*.tar') if tar.stem.isdigit()), default=-1)


def _shards(images: list[tuple[str, int]], shard_size: int,
            first: int) -> list[tuple[int, list[str]]]:
    """Numbers and names of the shards: runs of the images that reach ``shard_size`` bytes."""
    jobs, size = [], shard_size
    for name, bytes_of_image in images:
        if size >= shard_size:
            jobs.append((first + len(jobs), []))
            size = 0
        jobs[-1][1].append(name)
        size += bytes_of_image
    return jobs


def _write_all(jobs: list[tuple[int, list[str]]], folder: Path, out: Path, workers: int,
               total: int, progress: bool) -> list[Left]:
    with _bar(total, progress) as advance:
        pool = ThreadPoolExecutor(workers)
        try:
            written = [pool.submit(write_shard, names, folder, out / f'{number:06d}.tar', advance)
                       for number, names in jobs]
            return [left for job in written for left in job.result()]
        finally:
            pool.shutdown(cancel_futures=True)  # after an error no further shard is begun


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    with Progress('packing', BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                  disable=not shown) as bar:
        task = bar.add_task('packing', total=total)
        yield lambda: bar.advance(task)


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    """One process at a time; the lock goes when the process ends, however it ends."""
    import fcntl
    with open(out / '.lock', 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PackedImagesError(f'{out}: another process is packing here; wait for it, or '
                                    'stop it') from error
        except OSError:
            pass  # no such locks on this file system
        yield


def _checksum(data: io.BufferedReader, size: int) -> int:
    checksum = 0
    while size > 0 and (piece := data.read(min(size, 1 << 20))):
        checksum = zlib.crc32(piece, checksum)
        size -= len(piece)
    return checksum


def _encode(name: str) -> bytes:
    return name.encode('utf-8', 'surrogateescape')


def _to_disk(file: io.BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
