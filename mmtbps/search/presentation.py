"""Presentation of gallery entries to people: pictures in a page, facts in words."""

import base64
import io
from datetime import datetime, timezone

from PIL import Image

from .galleries.base import GalleryEntry

__all__ = ['CARD_SIZE', 'YEAR_1990', 'as_data_uri', 'clock', 'in_figures', 'in_words']

#: A picture in a grid is at most so many pixels wide and high.
CARD_SIZE = (200, 520)
#: A time before this one counts from the beginning of a video.
YEAR_1990 = 631152000


def as_data_uri(image: Image.Image, size: tuple[int, int] = CARD_SIZE) -> str:
    """Encode a picture as a JPEG that stands in a page itself.

    Args:
        image: RGB; shrunk to fit.
        size: Largest width and height.

    Example:
        >>> as_data_uri(Image.new('RGB', (4, 8)))[:23]
        'data:image/jpeg;base64,'
    """
    image = image.copy()
    image.thumbnail(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=88)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode()


def in_words(entry: GalleryEntry) -> list[tuple[str, str]]:
    """List what is known of a crop as (name, value) for people to read; the unknown is left out.

    Args:
        entry: Of a gallery.

    Example:
        >>> in_words(GalleryEntry('7', 'a.jpg', camera='c1', time=75.5, extra={'coat': 'red'}))
        [('camera', 'c1'), ('time', '0:01:15'), ('coat', 'red'), ('file', 'a.jpg')]
    """
    known = [('camera', entry.camera), ('time', clock(entry.time)), ('track', entry.track),
             ('frame', entry.frame), *entry.extra.items(), ('file', entry.path)]
    return [(name, str(value)) for name, value in known if value is not None]


def in_figures(score: float, probability: float | None = None) -> str:
    """Word a score, with the probability where the model was trained to tell one.

    Example:
        >>> in_figures(.834), in_figures(.12, .0345)
        ('0.834', '0.120 (3.45 %)')
    """
    return f'{score:.3f}' + ('' if probability is None else f' ({100 * probability:.3g} %)')


def clock(seconds: float | None) -> str | None:
    """Word a time as date and time of day in UTC, or as hours, minutes and seconds of a video.

    Args:
        seconds: Since 1970, or since the beginning of a video; ``None`` if it is not known.

    Example:
        >>> clock(1704067200.), clock(75.5)
        ('2024-01-01 00:00:00', '0:01:15')
    """
    if seconds is None:
        return None
    if seconds >= YEAR_1990:
        try:
            moment = datetime.fromtimestamp(seconds, timezone.utc)
            return moment.strftime('%Y-%m-%d %H:%M:%S')
        except (OverflowError, OSError, ValueError):
            return f'{seconds:g} s'
    whole = int(seconds)
    return f'{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}'
