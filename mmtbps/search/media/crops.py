"""Crops of gallery entries: files below one folder, frames of videos, boxes.

A gallery keeps the path of an image relative to one folder, the images' root: the folder can move,
and nothing outside it can be asked for (`locate`).
"""

import hashlib
import os
from collections.abc import Sequence

from PIL import Image

from mmtbps.fileio import AnyPath, is_remote, local_copy
from mmtbps.fileio.packed_addresses import images_place

from ..galleries.base import GalleryEntry
from .images import UnreadableImage, decode_image, read_bytes

__all__ = ['ChangedFile', 'crop', 'locate', 'read_crop', 'read_entry']

#: Nanoseconds by which the time of a copied file may differ: file systems and archives round it.
_COPIED_WITHIN = 2_000_000_000


class ChangedFile(UnreadableImage):
    """A file whose content is another than the one whose features the gallery holds.

    Args:
        path: Of the file.
        reason: Half a sentence.
    """

    def __init__(self, path: str | os.PathLike,
                 reason: str = 'changed since it was indexed') -> None:
        super().__init__(path, reason)


def read_entry(root: str | os.PathLike, entry: GalleryEntry) -> Image.Image:
    """Read the picture of a gallery's entry, if it is still the one that was indexed.

    The content of an image is compared with the entry's SHA-256. A video is too large for that:
    of it size and time of change are compared.

    Args:
        root: Folder of the images.
        entry: Of a gallery; one without size and hash is not compared.

    Raises:
        ChangedFile: The file has changed since it was indexed.
        UnreadableImage: The file is outside the folder, gone, broken or smaller than the box.
    """
    return _read(root, entry)


def read_crop(root: str | os.PathLike, path: str, frame: int | None = None,
              box: Sequence[int] | None = None) -> Image.Image:
    """Read a part of an image or of a frame, from the images' folder and nowhere else.

    Args:
        root: Folder of the images.
        path: Relative to it.
        frame: Number of a frame; the file is a video then.
        box: (left, top, right, bottom) in pixels; ``None`` for all of it.

    Raises:
        UnreadableImage: The file is outside the folder, gone, broken or smaller than the box.
    """
    return _read(root, GalleryEntry('', path, frame=frame, box=box))


def _read(root: str | os.PathLike, entry: GalleryEntry) -> Image.Image:
    file = locate(root, entry.path)
    if entry.frame is None:
        data = read_bytes(file)
        if entry.sha256 and hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ChangedFile(entry.path)
        image = decode_image(data, file)
    else:
        from .videos import read_frame  # a deployed searcher may have no OpenCV
        _check_video(file, entry)
        with local_copy(file) as copy:
            image = read_frame(copy, entry.frame)
    try:
        return crop(image, entry.box)
    except ValueError as error:
        raise UnreadableImage(entry.path, str(error)) from error


def _check_video(file: AnyPath, entry: GalleryEntry) -> None:
    """Compare size and time of change of a video that is there; a missing one is read_frame's."""
    if not entry.size or not file.is_file():
        return
    now = file.stat()
    if now.st_size != entry.size:
        raise ChangedFile(entry.path)
    if entry.mtime_ns is not None and abs(now.st_mtime_ns - entry.mtime_ns) > _COPIED_WITHIN:
        raise ChangedFile(entry.path)


def crop(image: Image.Image, box: Sequence[int] | None) -> Image.Image:
    """Cut a box out of an image; the box ends at the image's borders.

    Args:
        image: A picture.
        box: (left, top, right, bottom) in pixels; ``None`` for all of the image.

    Raises:
        ValueError: Nothing of the image is in the box.

    Example:
        >>> crop(Image.new('RGB', (40, 80)), (30, -5, 60, 50)).size
        (10, 50)
    """
    if box is None:
        return image
    left, top, right, bottom = box
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, image.width), min(bottom, image.height)
    if left >= right or top >= bottom:
        raise ValueError(f'box {tuple(box)} holds nothing of an image of {image.width} x '
                         f'{image.height} pixels')
    return image.crop((left, top, right, bottom))


def locate(root: str | os.PathLike, path: str) -> AnyPath:
    """Resolve a gallery's ``path`` to a file below the images' root, and nothing else.

    Args:
        root: Folder of the images, or its address in an object store.
        path: Relative, as the gallery keeps it.

    Raises:
        UnreadableImage: ``path`` leads out of the folder, through ``..`` or a symbolic link.
    """
    root = images_place(root).resolve()
    try:
        file = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
        raise UnreadableImage(path, f'no path: {error}') from error
    if os.path.isabs(path) or is_remote(path) or not file.is_relative_to(root) or file == root:
        raise UnreadableImage(path, 'outside the folder of the images')
    return file
