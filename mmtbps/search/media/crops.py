"""Crops of gallery entries: files below one folder, frames of videos, boxes.

A gallery keeps the path of an image relative to one folder, the images' root: the folder can move,
and nothing outside it can be asked for (`locate`).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from .images import UnreadableImage, read_image

__all__ = ['crop', 'locate', 'read_crop']


def read_crop(root: str | os.PathLike, path: str, frame: int | None = None,
              box: Sequence[int] | None = None) -> Image.Image:
    """Read the picture of a gallery's entry, from the images' folder and nowhere else.

    Args:
        root: Folder of the images.
        path: Of the entry, relative to it.
        frame: Of the entry; the file is a video then.
        box: Of the entry.

    Raises:
        UnreadableImage: The file is outside the folder, gone, broken or smaller than the box.
    """
    file = locate(root, path)
    if frame is None:
        image = read_image(file)
    else:
        from .videos import read_frame  # a deployed searcher may have no OpenCV
        image = read_frame(file, frame)
    try:
        return crop(image, box)
    except ValueError as error:
        raise UnreadableImage(path, str(error)) from error


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


def locate(root: str | os.PathLike, path: str) -> Path:
    """Resolve a gallery's ``path`` to a file below the images' root, and nothing else.

    Args:
        root: Folder of the images.
        path: Relative, as the gallery keeps it.

    Raises:
        UnreadableImage: ``path`` leads out of the folder, through ``..`` or a symbolic link.
    """
    root = Path(root).resolve()
    try:
        file = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
        raise UnreadableImage(path, f'no path: {error}') from error
    if os.path.isabs(path) or not file.is_relative_to(root) or file == root:
        raise UnreadableImage(path, 'outside the folder of the images')
    return file
