"""Pictures and captions of an edit as HTML that needs no other file."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from mmtbps.errors import first_line
from mmtbps.fileio.pictures import decode_picture
from mmtbps.records import RecordError

from .manifest import Record

__all__ = ['draw_captions', 'draw_picture']

_SMALL = 256, 384


def draw_picture(path: Path, title: str, size: tuple[int, int] = _SMALL) -> str:
    """Draw a picture that stands in the page itself, or say that it is gone or broken.

    Args:
        path: Of the file.
        title: Said of it.
        size: Largest width and height.
    """
    try:
        small = decode_picture(path.read_bytes()).image
    except FileNotFoundError:
        return f'<span>{escape(path.name)} is gone</span>'
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or first_line(error)
        return f'<span>{escape(path.name)} cannot be read ({escape(reason)})</span>'
    small.thumbnail(size)
    buffer = io.BytesIO()
    small.save(buffer, 'JPEG', quality=85 if size == _SMALL else 95)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (f'<img alt="{escape(title)}" title="{escape(title)}" '
            f'src="data:image/jpeg;base64,{data}">')


def draw_captions(record: Record) -> str:
    """Draw the captions before and after, the exchanged words marked, and the instruction.

    Raises:
        RecordError: Naming the job, if the record has no captions that belong together.
    """
    try:
        spans, instruction = record.edit.get('spans', []), record.edit.get('instruction')
        texts = [f'<p><b>{escape(instruction)}</b></p>'] if instruction else []
        for i, (index, after) in enumerate(zip(record.edit['kept'], record.output['captions'],
                                               strict=True)):
            mine = [span for span in spans if span['caption'] == i]
            before = _marked(record.source['captions'][index],
                             [(span['start'], span['end']) for span in mine], 'del')
            texts.append(f'<p>{before}</p>'
                         f'<p>{_marked(after, [span["target"] for span in mine], "ins")}</p>')
        return ''.join(texts)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise RecordError(f'{record.job_id}: broken captions in the manifest '
                          f'({type(error).__name__}: {error})') from error


def _marked(caption: str, spans: Iterable[Sequence[int]], tag: str) -> str:
    """Write the caption as HTML with the spans in ``<tag>``."""
    pieces, position = [], 0
    for start, end in sorted(map(tuple, spans)):
        pieces += [escape(caption[position:start]),
                   f'<{tag}>{escape(caption[start:end])}</{tag}>']
        position = end
    return ''.join([*pieces, escape(caption[position:])])
