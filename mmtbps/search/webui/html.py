"""HTML of the page: people in a grid, one person up close, the history of a visitor.

All of it is text in, text out. What comes from files, filters or visitors goes through `_text`;
pictures stand in the page itself as small JPEGs, so that no file is ever served.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageFilter, ImageOps

from mmtbps.errors import printable

from ..presentation import CARD_SIZE, as_data_uri

__all__ = ['as_card', 'draw_history', 'draw_masthead', 'draw_notice', 'draw_people',
           'draw_person', 'draw_picture', 'draw_report', 'draw_welcome']

#: A picture up close is at most so many pixels wide and high.
PERSON_SIZE = (480, 900)


def as_card(image: Image.Image) -> str:
    """Fit a crop into the shape of a card, as a data URI; its blurred colours fill the sides.

    Example:
        >>> as_card(Image.new('RGB', (30, 30)))[:23]
        'data:image/jpeg;base64,'
    """
    small = CARD_SIZE[0] // 4, CARD_SIZE[1] // 4
    card = ImageOps.fit(image, small).filter(ImageFilter.GaussianBlur(5)).resize(CARD_SIZE)
    image = ImageOps.contain(image, CARD_SIZE, Image.Resampling.LANCZOS)
    card.paste(image, ((card.width - image.width) // 2, (card.height - image.height) // 2))
    return as_data_uri(card)


def draw_masthead(title: str, line: str) -> str:
    """Draw the masthead: a title, and a line about the gallery."""
    return f'<h1>{_text(title)}</h1><p>{_text(line)}</p>'


def draw_people(heading: str, people: Sequence[Mapping[str, Any]], note: str = '') -> str:
    """Draw the ranked grid.

    Args:
        heading: What was asked.
        people: Best first, each with ``rank``, ``id``, ``score``, ``lines`` to stand below and
            ``picture`` (a data URI, or ``None`` if it cannot be shown, for the reason ``lost``).
        note: Said beside the heading.
    """
    cards = ''.join(_card(person) for person in people)
    return (f'<section class="people" aria-live="polite"><header><h2>{_text(heading)}</h2>'
            f'<span>{_text(note)}</span></header><div class="grid">{cards}</div></section>')


def draw_person(title: str, picture: str | None, facts: Sequence[tuple[str, str]],
                heat: str | None = None, note: str = '', lost: str = '') -> str:
    """Draw one person up close, with the places of the words in the picture.

    Args:
        title: Names the person.
        picture: Data URI of the crop, ``None`` if it cannot be shown.
        facts: What is known, as (name, value).
        heat: Data URI of the heat-maps of the sentence, crop included.
        note: Why there is no heat-map.
        lost: Why there is no picture.
    """
    shown = (f'<img class="heat" src="{_text(heat)}" alt="where the words are in the picture">'
             if heat else f'<div class="alone">{_frame(picture, lost)}</div>')
    rows = ''.join(f'<dt>{_text(name)}</dt><dd>{_text(value)}</dd>' for name, value in facts)
    return (f'<section class="person"><header><h2>{_text(title)}</h2>'
            f'<button type="button" class="close" aria-label="Close">×</button></header>{shown}'
            + (f'<p class="quiet">{_text(note)}</p>' if note else '')
            + f'<dl>{rows}</dl></section>')


def draw_history(asked: Sequence[str]) -> str:
    """Draw the questions of this visitor as buttons, latest first; nothing if there are none."""
    if not asked:
        return ''
    chips = ''.join(f'<button type="button" data-pick="{place}" title="{_text(words)}">'
                    f'{_text(words)}</button>' for place, words in enumerate(asked))
    return f'<nav class="history" aria-label="Asked before"><span>Asked before</span>{chips}</nav>'


def draw_notice(message: str) -> str:
    """Draw a message in the place of an answer."""
    return f'<p class="notice" role="status">{_text(message)}</p>'


def draw_picture(picture: str = '', message: str = '') -> str:
    """Draw the place for a picture to search by.

    Args:
        picture: Data URI of the present one.
        message: Why there is none.
    """
    shown = (f'<img src="{_text(picture)}" alt="The picture that is searched by">'
             '<button type="button" class="remove">Remove the picture</button>' if picture else '')
    return (f'<div class="drop"><label><span>Drop a picture of one person here, or choose one. A '
            'small copy of it is searched by; it is not kept.</span>'
            f'<input type="file" accept="image/*"></label>{shown}</div>'
            + (draw_notice(message) if message else ''))


def draw_report(report: str) -> str:
    """Draw what came of an upload; the names in it are the visitor's."""
    return _text(report)


def draw_welcome(title: str, message: str) -> str:
    """Draw the text of a page without answers."""
    return (f'<section class="welcome"><h2>{_text(title)}</h2><p>{_text(message)}</p></section>')


def _card(person: Mapping[str, Any]) -> str:
    lines = ''.join(f'<span class="caption" title="{_text(line)}">{_text(line)}</span>'
                    for line in person['lines'])
    name = ', '.join([f'Person {person["rank"]}', f'score {person["score"]}',
                      *person['lines']])
    return (f'<button type="button" class="card" data-pick="{_text(person["id"])}" '
            f'aria-pressed="false" aria-label="{_text(name)}">'
            f'{_frame(person["picture"], person.get("lost", ""))}'
            f'<span class="line"><b>{person["rank"]}</b><i>{_text(person["score"])}</i></span>'
            f'{lines}</button>')


def _frame(picture: str | None, lost: str) -> str:
    inside = (f'<img src="{_text(picture)}" alt="">' if picture
              else f'<span class="lost">{_text(lost or "picture not found")}</span>')
    return f'<span class="frame">{inside}</span>'


def _text(value: Any) -> str:
    """Escape text so that it stays text in HTML, within quotes too, and turns nothing round."""
    return html.escape(printable(str(value)), quote=True)
