"""Pictures and captions of an edit as HTML that needs no other file."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mmtbps.errors import first_line
from mmtbps.fileio.pictures import decode_picture
from mmtbps.markup import load_template
from mmtbps.records import RecordError

from .manifest import Record

__all__ = ['draw_captions', 'draw_picture']

_SMALL = 256, 384


def draw_picture(path: Path, title: str, size: tuple[int, int] = _SMALL) -> Markup:
    """Draw a picture that stands in the page itself, or say that it is gone or broken.

    Args:
        path: Of the file.
        title: Said of it.
        size: Largest width and height.
    """
    try:
        small = decode_picture(path.read_bytes()).image
    except FileNotFoundError:
        return _parts().no_picture(f'{path.name} is gone')
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or first_line(error)
        return _parts().no_picture(f'{path.name} cannot be read ({reason})')
    small.thumbnail(size)
    buffer = io.BytesIO()
    small.save(buffer, 'JPEG', quality=85 if size == _SMALL else 95)
    data = base64.b64encode(buffer.getvalue()).decode()
    return _parts().picture(f'data:image/jpeg;base64,{data}', title)


def draw_captions(record: Record) -> Markup:
    """Draw the captions before and after, the exchanged words marked, and the instruction.

    Raises:
        RecordError: Naming the job, if the record has no captions that belong together.
    """
    try:
        spans = record.edit['spans'] if record.edit['kind'] == 'color' else []
        pairs = []
        for i, (index, after) in enumerate(zip(record.edit['kept'], record.output['captions'],
                                               strict=True)):
            mine = [span for span in spans if span['caption'] == i]
            pairs.append((_pieces(record.source['captions'][index],
                                  [(span['start'], span['end']) for span in mine]),
                          _pieces(after, [span['target'] for span in mine])))
        return _parts().captions(record.edit.get('instruction', ''), pairs)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise RecordError(f'{record.job_id}: broken captions in the manifest '
                          f'({type(error).__name__}: {error})') from error


def _parts() -> Any:
    return load_template(Path(__file__).parent / 'templates/figures.html').module


def _pieces(caption: str, spans: Iterable[Sequence[int]]) -> list[str]:
    """Cut a caption at its spans: every second piece is one of them."""
    pieces, position = [], 0
    for start, end in sorted(map(tuple, spans)):
        pieces += [caption[position:start], caption[start:end]]
        position = end
    return [*pieces, caption[position:]]
