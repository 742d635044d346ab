"""HTML of the page: people in a grid, one person up close, the history of a visitor.

All of it is text in, text out, by the macros of ``templates/page.html``, in which what comes from
files, filters or visitors stays text (`load_template`); pictures stand in the page itself as small
JPEGs, so that no file is ever served.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter, ImageOps

from mmtbps.markup import CARD_SIZE, as_data_uri, load_template

__all__ = ['as_card', 'draw_history', 'draw_masthead', 'draw_notice', 'draw_people',
           'draw_person', 'draw_picture', 'draw_report', 'draw_welcome']

#: A picture up close is at most so many pixels wide and high.
PERSON_SIZE = (480, 900)
_PARTS = Path(__file__).parent.parent / 'templates/page.html'


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
    return _fill('draw_masthead', title, line)


def draw_people(heading: str, people: Sequence[Mapping[str, Any]], note: str = '') -> str:
    """Draw the ranked grid.

    Args:
        heading: What was asked.
        people: Best first, each with ``rank``, ``id``, ``score``, ``lines`` to stand below and
            ``picture`` (a data URI, or ``None`` if it cannot be shown, for the reason ``lost``);
            perhaps ``marks``, dicts with ``phrase`` and ``mark``.
        note: Said beside the heading.
    """
    return _fill('draw_people', heading, [dict(lost='', marks=()) | dict(person)
                                        for person in people], note)


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
    return _fill('draw_person', title, picture, facts, heat, note, lost)


def draw_history(asked: Sequence[str]) -> str:
    """Draw the questions of this visitor as buttons, latest first; nothing if there are none."""
    return _fill('draw_history', asked)


def draw_notice(message: str) -> str:
    """Draw a message in the place of an answer."""
    return _fill('draw_notice', message)


def draw_picture(picture: str = '', message: str = '') -> str:
    """Draw the place for a picture to search by.

    Args:
        picture: Data URI of the present one.
        message: Why there is none.
    """
    return _fill('draw_picture', picture, message)


def draw_report(report: str) -> str:
    """Draw what came of an upload; the names in it are the visitor's."""
    return _fill('draw_text', report)


def draw_welcome(title: str, message: str) -> str:
    """Draw the text of a page without answers."""
    return _fill('draw_welcome', title, message)


def _fill(macro: str, *values: Any) -> str:
    return str(getattr(load_template(_PARTS).module, macro)(*values))
