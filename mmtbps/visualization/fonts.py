"""Fonts for text on pictures, and escapes for signs that no font has a picture for."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

from mmtbps.errors import printable

__all__ = ['font_for', 'with_glyphs']

#: Fonts of many scripts, by the names of their files on Linux, macOS and Windows.
_WIDE = ('DejaVuSans.ttf', 'NotoSansCJK-Regular.ttc', 'NotoSans-Regular.ttf', 'PingFang.ttc',
         'Arial Unicode.ttf', 'msyh.ttc', 'arial.ttf')
#: No sign, so that its picture is that of all signs a font does not have.
_NO_SIGN = '\uffff'


def with_glyphs(text: str) -> str:
    """Write signs that no font here has a picture for as escapes, in the place of empty boxes.

    Args:
        text: To be drawn in the font of `font_for`.

    Example:
        >>> with_glyphs('a\\U000f0000b')
        'a\\\\U000f0000b'
    """
    text = printable(' '.join(text.split()))
    number = _font_number(text)
    return ''.join(sign if sign.isspace() or _has_glyph(number, sign) else ascii(sign)[1:-1]
                   for sign in text)


def font_for(text: str, size: float) -> ImageFont.FreeTypeFont:
    """Return the font that has a picture for most signs of a text; Pillow's own if it has all.

    Args:
        text: As `with_glyphs` returns it.
        size: In pixels.
    """
    return _load(_font_number(text), size)


def _font_number(text: str) -> int:
    signs = {sign for sign in text if not sign.isspace()}
    missing = {}
    for number in range(len(_files())):
        missing[number] = sum(not _has_glyph(number, sign) for sign in signs)
        if not missing[number]:
            return number
    return min(missing, key=missing.get)


@lru_cache(maxsize=10_000)
def _has_glyph(number: int, sign: str) -> bool:
    font = _load(number, 18)
    return bytes(font.getmask(sign)) != bytes(font.getmask(_NO_SIGN))


@lru_cache
def _load(number: int, size: float) -> ImageFont.FreeTypeFont:
    file = _files()[number]
    return ImageFont.load_default(size) if file is None else ImageFont.truetype(file, size)


@lru_cache
def _files() -> tuple[str | None, ...]:
    """Find the fonts of this machine; ``None`` is Pillow's own, and comes first."""
    matplotlib = find_spec('matplotlib')  # it brings a font, and mmengine brings it
    brought = [Path(matplotlib.origin).parent / 'mpl-data/fonts/ttf/DejaVuSans.ttf'
               ] if matplotlib and matplotlib.origin else []
    found: list[str | None] = [None]
    for file in [*_WIDE, *map(str, brought)]:
        try:
            ImageFont.truetype(file, 18)
            found.append(file)
        except OSError:  # not on this machine
            continue
    return tuple(found)
