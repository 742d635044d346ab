"""Pictures as a person sees them: one way to decode a file, for searching and for training.

Whatever the file's mode, depth, colour space and orientation are, the result is 8-bit RGB in sRGB.
"""

import io
from contextlib import suppress
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from .image_files import MAX_PIXELS
from .picture_depths import BadPicture, find_frame, in_eight_bits, leave_bare, mend_reading

__all__ = ['BadPicture', 'Picture', 'decode_picture', 'is_plain_jpeg']

#: No other decoder of Pillow ever sees the bytes. HEIF and JXL come with plug-ins.
_FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF', 'AVIF', 'JPEG2000', 'PPM', 'HEIF', 'JXL')
_PLUGINS = dict(pillow_heif='register_heif_opener', pillow_jxl='')
_END_OF_JPEG = b'\xff\xd9'
_XMP = b'http://ns.adobe.com/xap/'
#: Rows that may be lacking at the end of a JPEG: one of its blocks with the rows above that are
#: mixed with it, or a sixteenth of the picture.
_LAST_ROWS, _LAST_PART = 18, 16
#: Modes by the color space of a profile.
_MODES = dict(RGB='RGB', GRAY='L', CMYK='CMYK', Lab='LAB')
#: By so many levels the profiles of sRGB of different makers differ.
_LEVELS = 3


class Picture(NamedTuple):
    """A decoded picture.

    Args:
        image: 8-bit RGB without anything else of the file.
        note: What is odd about it, as half a sentence; ``None`` for a whole picture.
    """

    image: Image.Image
    note: str | None = None


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the content of a picture file as a person sees it.

    A JPEG that lacks only its last bytes is read as viewers read it, with a note.

    Args:
        data: Of a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000 or PPM file; of HEIC / HEIF
            and JPEG XL where ``pillow-heif`` and ``pillow-jxl-plugin`` are installed. Of several
            pictures or frames the first counts.
        max_pixels: A picture with more is refused by its header, before anything is decoded.

    Raises:
        BadPicture: With the reason.

    Example:
        >>> buffer = io.BytesIO()
        >>> Image.new('RGBA', (1, 1), (255, 0, 0, 0)).save(buffer, 'PNG')
        >>> decode_picture(buffer.getvalue()).image.getpixel((0, 0))
        (255, 255, 255)
    """
    try:
        return Picture(_decode(data, max_pixels))
    except BadPicture:
        raise
    except Image.UnidentifiedImageError as error:
        raise BadPicture(_name_kind(data) or 'no image of a known format') from error
    except Image.DecompressionBombError as error:
        raise BadPicture(f'more than {max_pixels / 1e6:g} million pixels') from error
    except Exception as error:  # Pillow's decoders raise nearly any type on broken data
        if data.startswith(b'\xff\xd8') and (image := _complete_jpeg(data, max_pixels)):
            return Picture(image, 'its last bytes are missing; it was read without them')
        raise BadPicture(f'{type(error).__name__}: {error}') from error


def is_plain_jpeg(data: bytes) -> bool:
    """Tell a JPEG of 8-bit grey or YCbCr that no profile speaks of, as nearly all are.

    Every decoder gives the same picture of it. The header alone is read.
    """
    if not data.startswith(b'\xff\xd8') or _END_OF_JPEG not in data[-64:]:
        return False
    place = 2
    while place + 4 <= len(data) and data[place] == 0xff:
        marker, size = data[place + 1], int.from_bytes(data[place + 2:place + 4], 'big')
        if marker == 0xff:  # filling
            place += 1
            continue
        if marker == 0xda:
            return True
        segment = data[place + 4:place + 2 + size]
        if marker == 0xe2 and segment.startswith(b'ICC_PROFILE') or marker == 0xee:
            return False  # Adobe's marker says RGB or CMYK
        if marker == 0xe1 and segment.startswith(_XMP) and b'Orientation' in segment:
            return False  # OpenCV asks EXIF alone
        if 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc) and (
                len(segment) < 6 or segment[0] != 8 or segment[5] not in (1, 3)):
            return False
        place += 2 + size
    return False


def _decode(data: bytes, max_pixels: int) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=_formats()) as image:
        if image.width * image.height > max_pixels:
            raise BadPicture(f'{image.width} x {image.height} pixels, more than '
                             f'{max_pixels / 1e6:g} million')
        mend_reading(image, data)
        return _as_seen(image, find_frame(image, data))


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats that this Pillow reads, with its plug-ins."""
    from importlib import import_module
    for name, register in _PLUGINS.items():
        try:
            plugin = import_module(name)
        except ImportError:
            continue
        if register:
            getattr(plugin, register)()
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _name_kind(data: bytes) -> str | None:
    """Name a known kind of picture, with the package that would read it."""
    if data[4:8] == b'ftyp' and data[8:12] in (b'heic', b'heix', b'hevc', b'heim', b'heis',
                                               b'mif1', b'msf1'):
        return 'HEIC needs a package: pip install pillow-heif'
    if data[4:8] == b'ftyp' and data[8:12] in (b'avif', b'avis'):
        return 'AVIF needs Pillow 11.3 or later'
    if data.startswith((b'\xff\x0a', b'\0\0\0\x0cJXL ')):
        return 'JPEG XL needs a package: pip install pillow-jxl-plugin'
    if data.startswith((b'II*\0', b'MM\0*')):
        return 'TIFF of a kind that Pillow does not read'
    return None


# ------------------------------------------------------------------ the end of a JPEG
def _complete_jpeg(data: bytes, max_pixels: int) -> Image.Image | None:
    """Decode a JPEG that lacks only its last bytes; ``None`` if it lacks more.

    The rows that are not in the file are those that depend on what is put in place of the rest.
    """
    data = data.rstrip(b'\xff')  # the first half of a marker
    noise = np.random.default_rng(0).integers(0, 255, 1 << 14, np.uint8).tobytes()
    try:
        seen, other = (_stored_rows(data + rest + _END_OF_JPEG, max_pixels)
                       for rest in (b'', noise))
        differs = np.flatnonzero((seen != other).any(axis=(1, 2)))
        height = len(seen)
        lacking = height - differs[0] if len(differs) else 0
        if lacking > min(max(_LAST_ROWS, height // _LAST_PART), height // 2):
            return None
        return _decode(data + _END_OF_JPEG, max_pixels)
    except Exception:  # it is broken in another way, too; the first error says which
        return None


def _stored_rows(data: bytes, max_pixels: int) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=('JPEG', )) as image:
        if image.width * image.height > max_pixels:
            raise BadPicture('too many pixels')
        return np.asarray(image.convert('RGB'))


# ------------------------------------------------------------------ pixels
def _as_seen(image: Image.Image, frame: tuple[int, int, int, int] | None) -> Image.Image:
    """Convert an open file to 8-bit RGB in sRGB, turned as it says, on white."""
    image.load()
    image = image if frame is None else leave_bare(image, frame)
    if image.format != 'JXL':  # its own field counts, which its decoder has followed
        with suppress(Exception):  # broken EXIF: viewers show the picture as it lies
            ImageOps.exif_transpose(image, in_place=True)
    profile = image.info.get('icc_profile')
    colors, alpha = _split_alpha(in_eight_bits(image))
    seen = (_to_srgb(colors, profile) if profile else None) or _to_rgb(colors)
    if alpha is not None:
        seen = Image.composite(seen, Image.new('RGB', seen.size, 'white'), alpha)
    seen.info = {}  # comments and places would travel on with the pixels
    return seen


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split a picture into its colors and how much they cover, ``None`` for all."""
    if image.mode in ('La', 'RGBa'):
        image = image.convert({'La': 'LA', 'RGBa': 'RGBA'}[image.mode])
    if image.mode == 'PA' or 'transparency' in image.info:
        image = image.convert('RGBA')
    if image.mode not in ('LA', 'RGBA'):
        return image, None
    return image.convert(image.mode[:-1]), image.getchannel('A')


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == 'LAB':
        return ImageCms.applyTransform(image, _transform(None, 'LAB'))
    return image.convert('RGB')


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert a picture from the color space of its profile; ``None`` if that says nothing."""
    mode = _mode_of(profile)
    if image.mode in ('P', '1') or (image.mode == 'L' and mode == 'RGB'):
        image = image.convert('RGB' if mode == 'RGB' else 'L')
    if mode is None or image.mode != mode:
        return None
    try:
        return ImageCms.applyTransform(image, _transform(profile, mode))
    except ImageCms.PyCMSError:
        return None


@lru_cache(maxsize=32)
def _mode_of(profile: bytes) -> str | None:
    """Return the mode of the pictures a profile speaks of; ``None`` for sRGB and broken ones."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        mode = _MODES.get(opened.xcolor_space.strip())
        return None if mode == 'RGB' and _changes_little(profile) else mode
    except Exception:  # viewers take no notice of what is no profile
        return None


def _changes_little(profile: bytes) -> bool:
    """Tell a profile of sRGB by what it does; its name may be that of a linear one."""
    colors = np.stack(np.meshgrid(*[np.arange(0, 256, 15, np.uint8)] * 3), -1).reshape(18, -1, 3)
    seen = ImageCms.applyTransform(Image.fromarray(colors), _transform(profile, 'RGB'))
    return bool(np.abs(np.asarray(seen, int) - colors).max() <= _LEVELS)


@lru_cache(maxsize=32)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform:
    source = (ImageCms.createProfile('LAB') if profile is None
              else ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    return ImageCms.buildTransform(source, ImageCms.createProfile('sRGB'), mode, 'RGB')
