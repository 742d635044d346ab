"""Ranked lists as pictures, drawn with Pillow alone."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from .fonts import font_for, with_glyphs

__all__ = ['draw_rank_list', 'draw_rank_sheet']

_TILE = (104, 276)  # a person: about 1 : 2.65
_GAP = 12
_MARGIN = 22
_FRAME = 4
_RADIUS = 9
_SMOOTH = 4  # shapes are drawn this much larger and shrunk, for smooth edges
_MIN_COLUMNS = 6  # a short list still leaves room for the query text

_PAPER, _INK, _QUIET, _RULE = '#ffffff', '#1f2328', '#6b7280', '#e2e5e9'
_RIGHT, _WRONG, _NEUTRAL, _EMPTY = '#2da44e', '#d1383d', '#b6bcc4', '#d9dce1'
_HOLDS = dict(yes=True, no=False, unsure=None)
_LABEL, _NOTE, _LINE, _BADGE = 28, 18, 16, 13  # heights below a tile


def draw_rank_list(query: str,
                   image_paths: Sequence[str | Path],
                   correct: Sequence[bool] | None = None,
                   scores: Sequence[float] | None = None,
                   title: str = '',
                   reasons: Sequence[str | None] | None = None,
                   notes: Sequence[str] | None = None,
                   marks: Sequence[Sequence[tuple[str, str]]] | None = None) -> Image.Image:
    """Draw a query and the crops it found, best first.

    A right crop has a green frame and a tick, a wrong one a red frame and a cross, so the
    picture also reads without colors. The rank and the score stand below. An image that cannot
    be read becomes a gray tile with the reason and its file name. Signs that no font here has a
    picture for are written as escapes.

    Args:
        query: the caption, wrapped above the crops.
        image_paths: crops in the order of their rank; ten look best. ``packed://`` and other
            addresses that MMEngine reads will do.
        correct: whether each crop is the person meant; default: not known, gray frames.
        scores: similarity of each crop; default: ranks only.
        title: small lines above the query, such as the data set.
        reasons: why a crop is not shown, where that is known already.
        notes: a few signs below each score, such as a probability.
        marks: of each crop pairs of a phrase and ``'yes'``, ``'no'`` or ``'unsure'``, which are
            listed below it: with a tick, a cross and a dash.

    Raises:
        ValueError: no crop, or a list of another length.

    Example:
        >>> picture = draw_rank_list('A man in a red coat.', ['missing.jpg'], [True], [0.8])
        >>> picture.mode, picture.width
        ('RGB', 728)
    """
    _check(image_paths, correct=correct, scores=scores, reasons=reasons, notes=notes, marks=marks)
    count = len(image_paths)
    columns = max(count, _MIN_COLUMNS)
    width = 2 * _MARGIN + columns * _TILE[0] + (columns - 1) * _GAP
    header = _draw_header(query, title, width - 2 * _MARGIN)
    top = _MARGIN + header.height + 14
    feet = [_draw_foot(notes and notes[i], marks[i] if marks else ()) for i in range(count)]
    below = top + _TILE[1] + _LABEL
    canvas = Image.new('RGB', (width, below + max(foot.height for foot in feet) + _MARGIN), _PAPER)
    canvas.paste(header, (_MARGIN, _MARGIN))
    for rank, path in enumerate(image_paths):
        left = _MARGIN + rank * (_TILE[0] + _GAP)
        tile = _draw_tile(str(path), None if correct is None else bool(correct[rank]),
                          reasons and reasons[rank])
        canvas.paste(tile, (left, top))
        score = None if scores is None else float(scores[rank])
        _draw_label(ImageDraw.Draw(canvas), left, top + _TILE[1] + 8, rank + 1, score)
        canvas.paste(feet[rank], (left, below))
    return canvas


def draw_rank_sheet(rows: Sequence[Image.Image]) -> Image.Image:
    """Stack ranked lists on one sheet, a thin rule between them.

    Args:
        rows: pictures of :func:`draw_rank_list`; narrower ones are set flush left.

    Raises:
        ValueError: there is no row.

    Example:
        >>> row = draw_rank_list('A man in a red coat.', ['missing.jpg'])
        >>> draw_rank_sheet([row, row]).height == 2 * row.height + 1
        True
    """
    if not rows:
        raise ValueError('a sheet needs at least one ranked list')
    width = max(row.width for row in rows)
    sheet = Image.new('RGB', (width, sum(row.height + 1 for row in rows) - 1), _PAPER)
    pen, top = ImageDraw.Draw(sheet), 0
    for row in rows:
        if top:
            pen.line((_MARGIN, top - 1, width - _MARGIN - 1, top - 1), fill=_RULE)
        sheet.paste(row, (0, top))
        top += row.height + 1
    return sheet


def _check(image_paths: Sequence, **lists: Sequence | None) -> None:
    if not len(image_paths):
        raise ValueError('a ranked list needs at least one image path')
    for name, values in lists.items():
        if values is not None and len(values) != len(image_paths):
            raise ValueError(f'{name} has {len(values)} entries for {len(image_paths)} images')


def _draw_header(query: str, title: str, width: int) -> Image.Image:
    title, query = with_glyphs(title), with_glyphs(query)
    font = font_for(title, 13)
    lines = [(line, font, _QUIET) for line in _wrap(title, font, width)] if title else []
    font = font_for(query, 18)
    lines += [(line, font, _INK) for line in _wrap(query, font, width)]
    heights = [round(font.size * (1.4 if color == _INK else 1.8)) for _, font, color in lines]
    header = Image.new('RGB', (width, sum(heights)), _PAPER)
    pen, top = ImageDraw.Draw(header), 0
    for (line, font, color), height in zip(lines, heights, strict=True):
        pen.text((0, top), line, font=font, fill=color)
        top += height
    return header


def _open(path: str) -> Image.Image:
    if '://' not in path:
        return Image.open(path)
    from mmengine.fileio import get  # packed or remote; a deployed searcher has neither
    return Image.open(BytesIO(get(path)))


def _draw_tile(path: str, correct: bool | None, reason: str | None) -> Image.Image:
    """Draw a crop in its frame; bars beside it are filled with its own blurred colors."""
    crop = None
    try:
        if reason is None:
            with _open(path) as image:
                crop = ImageOps.exif_transpose(image).convert('RGB')
    except FileNotFoundError:
        reason = 'not found'
    except (OSError, ValueError):
        reason = 'cannot be read'
    if crop is None:
        tile = _draw_missing(Path(path).name, reason)
    else:
        tile = ImageOps.fit(crop, _TILE).filter(ImageFilter.GaussianBlur(14))
        crop = ImageOps.contain(crop, _TILE, Image.Resampling.LANCZOS)
        tile.paste(crop, ((_TILE[0] - crop.width) // 2, (_TILE[1] - crop.height) // 2))
    color = {True: _RIGHT, False: _WRONG, None: _NEUTRAL}[correct]
    frame, paper = _frame_masks()
    tile.paste(color, mask=frame)
    tile.paste(_PAPER, mask=paper)
    if correct is not None:
        badge = _draw_badge(correct, color)
        tile.paste(badge, (_FRAME + 4, _FRAME + 4), badge)
    return tile


def _draw_missing(name: str, reason: str) -> Image.Image:
    tile = Image.new('RGB', _TILE, _EMPTY)
    said = with_glyphs(f'{reason[:120]}: {name}')
    font = font_for(said, 12)
    lines = _wrap(said, font, _TILE[0] - 2 * (_FRAME + 6))
    pen, top = ImageDraw.Draw(tile), (_TILE[1] - 16 * len(lines)) // 2
    for number, line in enumerate(lines):
        pen.text((_TILE[0] / 2, top + 16 * number), line, font=font, fill=_QUIET, anchor='ma')
    return tile


def _frame_masks() -> tuple[Image.Image, Image.Image]:
    """Draw the mask of a tile's frame, and the mask of the paper around its round corners."""
    size = (_TILE[0] * _SMOOTH, _TILE[1] * _SMOOTH)
    box = (0, 0, size[0] - 1, size[1] - 1)
    frame, paper = Image.new('L', size, 0), Image.new('L', size, 255)
    ImageDraw.Draw(frame).rectangle(box, fill=255)
    edge = _FRAME * _SMOOTH
    ImageDraw.Draw(frame).rounded_rectangle(
        (edge, edge, box[2] - edge, box[3] - edge), (_RADIUS - _FRAME) * _SMOOTH, fill=0)
    ImageDraw.Draw(paper).rounded_rectangle(box, _RADIUS * _SMOOTH, fill=0)
    return tuple(mask.resize(_TILE, Image.Resampling.LANCZOS) for mask in (frame, paper))


def _draw_foot(note: str | None, marks: Sequence[tuple[str, str]]) -> Image.Image:
    """Draw what stands below the score of a crop: a note, and its marks, each with its phrase."""
    lines, indent = [], _BADGE + 5
    for phrase, mark in marks:
        phrase = with_glyphs(phrase)
        font = font_for(phrase, 12)
        wrapped = _wrap(phrase, font, _TILE[0] - indent)
        lines += [(line, font, mark if i == 0 else None) for i, line in enumerate(wrapped)]
    top = 0 if note is None else _NOTE
    foot = Image.new('RGB', (_TILE[0], top + _LINE * len(lines)), _PAPER)
    pen = ImageDraw.Draw(foot)
    if note:
        note = with_glyphs(note)
        pen.text((_TILE[0] - 3, top - 5), note, font=font_for(note, 14), fill=_QUIET, anchor='rs')
    for line, font, mark in lines:
        if mark is not None:
            holds = _HOLDS.get(mark)
            badge = _draw_badge(holds, {True: _RIGHT, False: _WRONG, None: _NEUTRAL}[holds], _BADGE)
            foot.paste(badge, (2, top + 1), badge)
        pen.text((indent, top + 12), line, font=font, fill=_INK, anchor='ls')
        top += _LINE
    return foot


def _draw_badge(correct: bool | None, color: str, size: int = 20) -> Image.Image:
    """Draw a disc with a tick or a cross, or with a dash where neither is known."""
    unit = size * _SMOOTH / 20
    badge = Image.new('RGBA', (size * _SMOOTH, size * _SMOOTH))
    pen = ImageDraw.Draw(badge)
    pen.ellipse((0, 0, badge.width - 1, badge.height - 1), fill=color)
    strokes = {True: [[(5.5, 10.5), (8.7, 13.7), (14.5, 6.8)]], None: [[(5.5, 10), (14.5, 10)]],
               False: [[(6.5, 6.5), (13.5, 13.5)], [(13.5, 6.5), (6.5, 13.5)]]}[correct]
    for stroke in strokes:
        points = [(x * unit, y * unit) for x, y in stroke]
        pen.line(points, fill=_PAPER, width=round(2.4 * unit), joint='curve')
    return badge.resize((size, size), Image.Resampling.LANCZOS)


def _draw_label(pen: ImageDraw.ImageDraw, left: int, top: int, rank: int,
                score: float | None) -> None:
    """Draw the rank, and the score beside it in gray."""
    if score is None:
        pen.text((left + _TILE[0] / 2, top), f'{rank}', font=font_for('', 16), fill=_INK,
                 anchor='ma')
        return
    pen.text((left + 3, top), f'{rank}', font=font_for('', 16), fill=_INK)
    pen.text((left + _TILE[0] - 3, top + 16), f'{score:.3f}', font=font_for('', 14), fill=_QUIET,
             anchor='rs')


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break text into lines no wider than ``width``; only words that are too wide are broken."""
    lines = ['']
    for word in text.split():
        joined = f'{lines[-1]} {word}'.strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        lines += [''] if lines[-1] else []
        for letter in word:
            if font.getlength(lines[-1] + letter) > width and lines[-1]:
                lines.append('')
            lines[-1] += letter
    return lines
