"""Depths and borders of pictures: what Pillow reads otherwise than meant is mended, or refused."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops

from mmtbps.errors import BadValue

__all__ = ['BadPicture', 'find_frame', 'in_eight_bits', 'leave_bare', 'mend_reading']

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANES, _TIFF_NUMBERS = 258, 262, 284, 339
_SEPARATE, _SIGNED = 2, 2
#: Values that a picture's file gives white, where Pillow has all of a range in mode I.
_WHITES = {'PNG': 65535., 'PPM': 65535.}
_START_OF_JPEG2000 = b'\xff\x4f\xff\x51'


class BadPicture(BadValue):
    """Bytes that are no picture, or one that is refused."""


def mend_reading(image: Image.Image, data: bytes) -> None:
    """Change how Pillow will read the pixels of an open file where that gives other colors.

    Args:
        image: Open and not yet loaded.
        data: Of the file.

    Raises:
        BadPicture: It is of a depth that Pillow cannot read rightly.
    """
    if image.format == 'PNG':
        _mend_hole(image)
    elif image.format == 'TIFF':
        _mend_tiff(image)
    elif image.format == 'JPEG2000' and image.mode != 'I;16' and (bits := _deepest(data)) > 8:
        raise BadPicture(f'JPEG 2000 of {bits} bits a color, of which 8 are read')  # white is black


def in_eight_bits(image: Image.Image) -> Image.Image:
    """Convert a grey picture of more than eight bits to eight; leave any other as it is.

    Args:
        image: Loaded; one of mode I, F or I;16 gives L, or LA if one value of it is a hole.
    """
    mode = image.mode
    if mode != 'I' and mode != 'F' and not mode.startswith('I;16'):
        return image
    tags = getattr(image, 'tag_v2', {})
    numbers, signed = np.asarray(image), _first(tags, _TIFF_NUMBERS, 1) == _SIGNED
    if image.format == 'TIFF' and mode == 'I' and not signed:
        numbers = numbers.view(np.uint32)
    values = np.nan_to_num(numbers.astype(np.float64), posinf=0., neginf=0.)
    if mode.startswith('I;16'):
        top = 2. ** _first(tags, _TIFF_BITS, 16) - 1
    else:
        top = _WHITES.get(image.format) if mode == 'I' else None
        top = top or _white(values, mode, signed and _first(tags, _TIFF_BITS, 0) == 16)
    gray = np.clip(values / top * 255 + .5, 0, 255).astype(np.uint8)
    if mode.startswith('I;16') and tags.get(_TIFF_PHOTOMETRIC) == 0:  # 0 is white
        gray = 255 - gray
    picture, hole = Image.fromarray(gray), image.info.get('transparency')
    if isinstance(hole, int):
        picture.putalpha(Image.fromarray(np.where(values == hole, 0, 255).astype(np.uint8)))
    return picture


def find_frame(image: Image.Image, data: bytes) -> tuple[int, int, int, int] | None:
    """Find the place of the first frame of an animation; ``None`` if it covers the picture.

    Args:
        image: Open and not yet loaded.
        data: Of the file.
    """
    frame = None
    if image.format == 'GIF' and image.tile:
        frame = image.tile[0][1]
    elif image.format == 'WEBP' and (start := _find_chunk(data, b'ANMF')):
        left, top, right, bottom = (int.from_bytes(data[place:place + 3], 'little')
                                    for place in range(start + 8, start + 20, 3))
        frame = 2 * left, 2 * top, 2 * left + right + 1, 2 * top + bottom + 1
    return frame if frame and tuple(frame) != (0, 0, *image.size) else None


def _find_chunk(data: bytes, kind: bytes) -> int:
    """Return the place of the first chunk of a kind in a RIFF file; 0 if there is none."""
    place = 12
    while place + 8 <= len(data):
        if data[place:place + 4] == kind:
            return place
        size = int.from_bytes(data[place + 4:place + 8], 'little')
        place += 8 + size + size % 2
    return 0


def leave_bare(image: Image.Image, frame: tuple[int, int, int, int]) -> Image.Image:
    """Make transparent what lies around the first frame, which Pillow paints in any color.

    Args:
        image: Loaded.
        frame: Of `find_frame`.
    """
    cover = Image.new('L', image.size)
    cover.paste(255, frame)
    framed = image.convert('RGBA')
    framed.putalpha(ImageChops.multiply(framed.getchannel('A'), cover))
    return framed


def _mend_hole(image: Image.Image) -> None:
    """Bring the transparent color of a PNG, which stands in the file's depth, to that of Pillow."""
    hole, stored = image.info.get('transparency'), image.tile[0][3] if image.tile else None
    if isinstance(hole, int) and stored in ('L;2', 'L;4'):
        top = 2 ** int(stored[-1]) - 1
        image.info['transparency'] = hole * (255 // top) if hole <= top else hole
    elif isinstance(hole, tuple) and stored == 'RGB;16B':
        image.info['transparency'] = tuple(value >> 8 for value in hole)


def _mend_tiff(image: Image.Image) -> None:
    tags = image.tag_v2
    deep = max(_all(tags, _TIFF_BITS, 1)) > 8
    for place, (codec, extents, offset, args) in enumerate(image.tile):
        stored, *others = [args] if isinstance(args, str) else args
        if codec == 'libtiff':  # it gives numbers in the order of this machine
            native = stored.replace(';32B', ';32N')
            image.tile[place] = codec, extents, offset, (native, *others)
        elif deep and len(stored) == 1 and tags.get(_TIFF_PLANES) == _SEPARATE:
            raise BadPicture('TIFF of more than 8 bits a color, in a plane for each')


def _deepest(data: bytes) -> int:
    """Return the most bits of a color of a JPEG 2000, by the header of its code."""
    start = data.find(_START_OF_JPEG2000)
    if start < 0:
        return 0
    count = int.from_bytes(data[start + 40:start + 42], 'big')
    return max(((bits & 127) + 1 for bits in data[start + 42:start + 42 + 3 * count:3]), default=0)


def _white(values: np.ndarray, mode: str, signed: bool) -> float:
    """Choose the value of white: modes I and F hold numbers of any range."""
    largest = values.max(initial=0)
    if mode == 'F' and 0 < largest <= 1:
        return 1.
    for white in (255., 32767. if signed else 65535.):
        if largest <= white:
            return white
    return largest if mode == 'F' else 2. ** 31 - 1 if largest < 2 ** 31 else 2. ** 32 - 1


def _first(tags: dict, tag: int, default: int) -> int:
    return _all(tags, tag, default)[0]


def _all(tags: dict, tag: int, default: int) -> Sequence[int]:
    values = tags.get(tag, default)
    return values if isinstance(values, Sequence) and values else (values or default, )
