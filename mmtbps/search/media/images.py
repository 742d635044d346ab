"""Photographs of strangers: found without leaving their folder, read without trusting them.

A gallery keeps the path of an image relative to one folder, the images' root: the folder can move,
and nothing outside it can be asked for (`locate`).
"""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageOps

__all__ = ['IMAGE_SUFFIXES', 'MAX_BYTES', 'MAX_PIXELS', 'UnreadableImage', 'crop', 'decode_image',
           'find_files', 'find_images', 'locate', 'read_bytes', 'read_crop', 'read_image']

MAX_BYTES = 50 * 2**20
MAX_PIXELS = 50_000_000
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')
#: No other decoder of Pillow ever sees the bytes.
_FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF')
_LINK = 'a symbolic link is not followed'


class UnreadableImage(ValueError):
    """An image that is refused or cannot be read; has ``path`` and ``reason``."""

    def __init__(self, path: str | os.PathLike, reason: str) -> None:
        super().__init__(f'{path}: {reason}')
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.reason)


def read_image(path: str | os.PathLike, max_bytes: int = MAX_BYTES,
               max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a photograph as RGB, turned as its EXIF says.

    Args:
        path: A JPEG, PNG, WebP, BMP or TIFF file.
        max_bytes: A larger file is refused unread.
        max_pixels: An image with more is refused by its header, before anything is decoded.

    Raises:
        UnreadableImage: With the reason: missing, too large, broken, no image.
    """
    return decode_image(read_bytes(path, max_bytes), path, max_pixels)


def read_bytes(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file of at most ``max_bytes``.

    Raises:
        UnreadableImage: If it is missing, larger or no regular file.
    """
    if not os.path.isfile(path):  # to open a pipe would wait for ever
        raise UnreadableImage(path, 'no such file')
    try:
        with open(path, 'rb') as file:
            large = os.fstat(file.fileno()).st_size > max_bytes
            data = b'' if large else file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableImage(path, error.strerror or str(error)) from error
    if large or len(data) > max_bytes:
        raise UnreadableImage(path, f'larger than {max_bytes / 2**20:g} MiB')
    return data


def decode_image(data: bytes, path: str | os.PathLike = 'image',
                 max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode what `read_bytes` gave; see `read_image`.

    Args:
        data: The content of an image file.
        path: Its name, for the error.
        max_pixels: More are refused before they are decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise UnreadableImage(path, _too_many_pixels(image, max_pixels))
            return ImageOps.exif_transpose(image).convert('RGB')
    except UnreadableImage:
        raise
    except Image.UnidentifiedImageError as error:
        raise UnreadableImage(path, 'no image of a known format') from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, f'more than {max_pixels / 1e6:g} million pixels') from error
    except Exception as error:  # Pillow's decoders raise nearly any type on broken data
        raise UnreadableImage(path, f'{type(error).__name__}: {error}') from error


def _too_many_pixels(image: Image.Image, limit: int) -> str:
    return f'{image.width} x {image.height} pixels, more than {limit / 1e6:g} million'


def crop(image: Image.Image, box: Sequence[int] | None) -> Image.Image:
    """The part of an image in ``box``, cut off at its borders; all of it without one.

    Args:
        image: A picture.
        box: (left, top, right, bottom) in pixels.

    Raises:
        ValueError: If nothing of the image is in the box.

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


def find_images(folder: str | os.PathLike) -> list[Path]:
    """The images below a folder, sorted; those `find_files` refuses are left out."""
    return sorted(path for path, reason in find_files(folder, IMAGE_SUFFIXES) if reason is None)


def find_files(folder: str | os.PathLike,
               suffixes: Sequence[str]) -> Iterator[tuple[Path, str | None]]:
    """Walk a folder in a fixed order; names that begin with a dot are passed over.

    Args:
        folder: Where to look, sub-folders included.
        suffixes: Endings of the wanted names, in lower case.

    Yields:
        Path of each wanted file and ``None``, or why it is refused. Refused are symbolic links,
        which may lead out of the folder or show a file twice, what is no regular file, and names
        that are no UTF-8.

    Raises:
        NotADirectoryError: If there is no such folder.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise NotADirectoryError(f'{folder}: no such folder')
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                yield Path(parent, name), _LINK
        for name in sorted(names):
            if name.lower().endswith(tuple(suffixes)) and not name.startswith('.'):
                path = Path(parent, name)
                yield path, _refusal(path)


def _refusal(path: Path) -> str | None:
    if path.is_symlink():
        return _LINK
    if not path.is_file():
        return 'no regular file'
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return 'its name is no UTF-8'
    return None


def locate(root: str | os.PathLike, path: str) -> Path:
    """The file of a gallery's ``path`` below the images' root, and nothing else.

    Args:
        root: Folder of the images.
        path: Relative, as the gallery keeps it.

    Raises:
        UnreadableImage: If ``path`` leads out of the folder, through ``..`` or a symbolic link.
    """
    root = Path(root).resolve()
    try:
        found = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
        raise UnreadableImage(path, f'no path: {error}') from error
    if os.path.isabs(path) or not found.is_relative_to(root) or found == root:
        raise UnreadableImage(path, 'outside the folder of the images')
    return found


def read_crop(root: str | os.PathLike, path: str, frame: int | None = None,
              box: Sequence[int] | None = None) -> Image.Image:
    """The picture of a gallery's entry, from the images' folder and nowhere else.

    Args:
        root: Folder of the images.
        path: Of the entry, relative to it.
        frame: Of the entry; the file is a video then.
        box: Of the entry.

    Raises:
        UnreadableImage: If the file is outside the folder, gone, broken or smaller than the box.
    """
    file = locate(root, path)
    if frame is None:
        image = read_image(file)
    else:
        from .videos import read_frame
        image = read_frame(file, frame)
    try:
        return crop(image, box)
    except ValueError as error:
        raise UnreadableImage(path, str(error)) from error
