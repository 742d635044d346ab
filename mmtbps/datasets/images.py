"""Checks of images: missing files, and files that cannot be decoded."""

import io
import os
import time
import unicodedata
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from mmengine.dist import is_main_process
from mmengine.fileio import get
from PIL import Image
from rich.progress import track

from mmtbps.errors import UserError
from mmtbps.fileio import MAX_PIXELS, as_path, is_remote, why_no_file
from mmtbps.fileio.pictures import BadPicture, decode_picture, is_plain_jpeg

from . import object_store  # noqa: F401  by which MMEngine reads addresses
from .packed import PackedImagesError, open_packed, packed_path, split_packed
from .skipped import UndecodableImage, UnreadableImage

#: Below this, decoding takes seconds and a progress bar is noise.
_PROGRESS_FROM = 2000
#: Seconds between attempts to read a file: a mount may be away for a moment.
RETRY_PAUSES = (0.5, 2., 8.)


def find_missing_images(paths: Iterable[str]) -> set[str]:
    """Find the paths that do not exist; each folder is listed once instead of each file asked for.

    Raises:
        MissingFile: If a folder of packed images has no shards.
        PackedImagesError: If a shard or an index in one is missing or broken.
    """
    files: dict[str, set[str]] = {}
    missing = set()
    for path in paths:
        folder, name = _split(path)
        if folder not in files:
            files[folder] = _names_in(folder)
        if name not in files[folder]:
            missing.add(path)
    return missing


def find_other_names(missing: Iterable[str]) -> dict[str, str]:
    """Find files whose names differ from those of missing ones in a way that is easily overlooked.

    Some systems take no notice of capitals, and write an accent as a sign of its own (NFD), so that
    copies from there have other names than their annotations.

    Returns:
        Name of the file that is there, of each missing path that has one.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> (folder / 'A.JPG').touch()
        >>> find_other_names([f'{folder}/a.jpg', f'{folder}/b.jpg']) == {f'{folder}/a.jpg': 'A.JPG'}
        True
    """
    folders: dict[str, dict[str, str]] = {}
    found = {}
    for path in missing:
        folder, name = _split(path)
        if folder not in folders:
            folders[folder] = {_alike(other): other for other in _names_in(folder)}
        if other := folders[folder].get(_alike(name)):
            found[path] = other
    return found


def _alike(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()


def _split(path: str) -> tuple[str, str]:
    if parts := split_packed(path):
        return packed_path(parts[0], ''), parts[1]
    return os.path.split(path)


def _names_in(folder: str) -> set[str]:
    if parts := split_packed(folder):
        return set(open_packed(parts[0], fresh=True))
    try:
        if is_remote(folder):
            return {path.name for path in as_path(folder).iterdir()}
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if _may_be_file(entry)}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _may_be_file(entry: os.DirEntry) -> bool:
    """Tell a file, and a link that may lead to one when its disk is back, from all else."""
    if entry.is_file(follow_symlinks=False):
        return True
    return entry.is_symlink() and not (os.path.exists(entry.path) and why_no_file(entry.path))


def read_picture(path: str | os.PathLike) -> Image.Image:
    """Read a picture of a data set as RGB, as a person sees it; packed ones too.

    Raises:
        UnreadableImage: There is no such image, or its bytes cannot be read.
        UndecodableImage: They are no picture, or not those that were packed.
    """
    try:
        data = get(path)
    except PackedImagesError as error:  # bytes that are not those that were packed
        raise UndecodableImage(f'{path}: {_word(error)}') from error
    except Exception as error:  # storage backends have errors of their own
        raise UnreadableImage(f'{path} cannot be read ({_word(error)})') from error
    try:
        return decode_picture(data).image
    except Exception as error:  # and so have decoders
        raise UndecodableImage(f'{path}: {_word(error)}') from error


def _word(error: Exception) -> str:
    if isinstance(error, (OSError, UserError)):
        return getattr(error, 'strerror', None) or str(error)
    return f'{type(error).__name__}: {error}'


class ImageFault(NamedTuple):
    """Reason why there is no picture: the file cannot be read, or its bytes cannot be decoded."""

    reason: str
    unreadable: bool


def find_fault(path: str) -> ImageFault | None:
    """Return what is wrong with an image, ``None`` if it can be decoded.

    A plain JPEG is decoded at an eighth of its size: all its bytes are read, at a fraction of the
    cost. Any other image is decoded as it is in training.
    """
    try:
        data = get(path)
    except PackedImagesError as error:  # bytes that are not those that were packed
        return ImageFault(f'{type(error).__name__}: {error}', unreadable=False)
    except Exception as error:  # storage backends have errors of their own
        return ImageFault(f'{type(error).__name__}: {error}', unreadable=True)
    try:
        if is_plain_jpeg(data):
            _check_plain(data)
        else:
            decode_picture(data)
    except BadPicture as error:
        return ImageFault(str(error), unreadable=False)
    except Exception as error:  # Pillow's decoders raise nearly any type on broken data
        return ImageFault(f'{type(error).__name__}: {error}', unreadable=False)
    return None


def _check_plain(data: bytes) -> None:
    with Image.open(io.BytesIO(data), formats=('JPEG', )) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BadPicture(f'{image.width} x {image.height} pixels, more than '
                             f'{MAX_PIXELS / 1e6:g} million')
        image.draft('RGB', (1, 1))
        image.load()


def decode_error(path: str) -> str | None:
    """Return the reason why an image cannot be decoded, ``None`` if it can."""
    fault = find_fault(path)
    return fault and fault.reason


def find_undecodable(paths: Sequence[str]) -> dict[str, str]:
    """Decode all images in threads; return ``{path: reason}`` of those that cannot be.

    Raises:
        UnreadableImage: If a file cannot be read, after some pauses neither.
    """
    faults = _find_faults(paths)
    for pause in (*RETRY_PAUSES, None):
        away = [path for path, fault in faults.items() if fault.unreadable]
        if not away:
            break
        if pause is None:
            raise UnreadableImage(f'{word_unreadable(away[0], faults[away[0]].reason)}'
                                  f'{f" ({len(away)} such files)" if len(away) > 1 else ""}')
        time.sleep(pause)
        again = _find_faults(away)
        faults = {path: again.get(path) if path in away else fault
                  for path, fault in faults.items()}
        faults = {path: fault for path, fault in faults.items() if fault is not None}
    return {path: fault.reason for path, fault in faults.items()}


def _find_faults(paths: Sequence[str]) -> dict[str, ImageFault]:
    quiet = len(paths) < _PROGRESS_FROM or not is_main_process()
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        decoded = track(pool.map(find_fault, paths), 'Decoding images once',
                        total=len(paths), disable=quiet)
        return {path: fault for path, fault in zip(paths, decoded, strict=True)
                if fault is not None}


def word_unreadable(path: str, reason: str) -> str:
    """Word the end of a run by an image that is there and cannot be read."""
    return (f'{path} cannot be read ({reason}), also after {sum(RETRY_PAUSES):g} s. Is its disk or '
            'mount away? Nothing is wrong with the image, so it is not left out: go on with the '
            'run when it is back')
