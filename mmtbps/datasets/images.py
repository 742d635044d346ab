"""Checks of images: missing files, and files that cannot be decoded."""

import io
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mmengine.dist import is_main_process
from mmengine.fileio import get
from PIL import Image
from rich.progress import track

from .packed import PREFIX, open_packed, split_packed

#: Below this, decoding takes seconds and a progress bar is noise.
_PROGRESS_FROM = 2000


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


def _split(path: str) -> tuple[str, str]:
    if parts := split_packed(path):
        return PREFIX + parts[0], parts[1]
    return os.path.split(path)


def _names_in(folder: str) -> set[str]:
    if folder.startswith(PREFIX):
        return set(open_packed(folder.removeprefix(PREFIX), fresh=True))
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def decode_error(path: str) -> str | None:
    """Return the reason why an image cannot be decoded, ``None`` if it can.

    A JPEG is decoded at an eighth of its size: all its bytes are read, at a fraction of the cost.
    """
    try:
        with Image.open(io.BytesIO(get(path))) as image:
            image.draft('RGB', (1, 1))
            image.load()
    except Exception as error:  # Pillow's decoders raise nearly any type on broken data
        return f'{type(error).__name__}: {error}'
    return None


def find_undecodable(paths: Sequence[str]) -> dict[str, str]:
    """Decode all images in threads; return ``{path: reason}`` of those that cannot be."""
    quiet = len(paths) < _PROGRESS_FROM or not is_main_process()
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        decoded = track(pool.map(decode_error, paths), 'Decoding images once',
                        total=len(paths), disable=quiet)
        return {path: reason for path, reason in zip(paths, decoded, strict=True)
                if reason is not None}
