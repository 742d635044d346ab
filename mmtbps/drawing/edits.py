"""True edits: the same person in the same scene with one garment in another color."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .attributes import COLORS, dye
from .canvas import PART
from .captions import caption
from .person import GARMENTS, Person, Scene
from .render import render


@dataclass(frozen=True)
class Edit:
    """An image, its edited twin, and the changed pixels.

    Attributes:
        before, after: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, the pixels of the garment.
        captions: Captions of ``before``.
        edited_captions: The same sentences with the new color.
    """

    before: np.ndarray
    after: np.ndarray
    mask: np.ndarray
    captions: tuple[str, ...]
    edited_captions: tuple[str, ...]


def recolor(person: Person, garment: str, color: str, rng: np.random.Generator) -> Person:
    """Give a person one garment in another color.

    Args:
        person: The person.
        garment: One of ``upper, inner, lower, shoes, bag, hat, scarf``.
        color: One of the 16 colors, other than the present one and the one of the pattern.
        rng: Draws the shade of the new cloth.

    Raises:
        ValueError: If the person has no such garment, or the color is not one of
            :func:`colors_for`.

    >>> rng = np.random.default_rng((0, 1))
    >>> from mmtbps.drawing.person import sample_person
    >>> recolor(sample_person(rng), 'shoes', 'green', rng).colors['shoes']
    'green'
    """
    possible = colors_for(person, garment)
    if color not in possible:
        raise ValueError(f'{garment} cannot turn {color!r}; possible are {", ".join(possible)}')
    return replace(person, colors={**person.colors, garment: color},
                   rgb={**person.rgb, garment: dye(rng, COLORS[color])})


def colors_for(person: Person, garment: str) -> list[str]:
    """List the colors that ``garment`` can be changed to so that the change shows.

    Raises:
        ValueError: If the person has no such garment.
    """
    if not person.wears(garment):
        worn = ', '.join(name for name in GARMENTS if person.wears(name))
        raise ValueError(f'the person has no {garment!r}; there are {worn}')
    taken = {person.colors[garment]}
    if garment == 'upper' and (person.pattern != 'plain' or person.contrast_sleeves):
        taken.add(person.colors['accent'])
    return [color for color in COLORS if color not in taken]


def garment_mask(person: Person, scene: Scene, garment: str,
                 size: tuple[int, int] = (128, 48)) -> np.ndarray:
    """Find the pixels of a garment with its pattern, (H, W) bool; empty where it is hidden.

    Raises:
        ValueError: If there is no such garment.
    """
    person.wears(garment)
    return render(person, scene, size, with_parts=True)[1] == PART[garment]


def draw_edit(person: Person, scene: Scene, garment: str, color: str, rng: np.random.Generator,
              caption_seeds: Sequence[int] = (0, 1), size: tuple[int, int] = (128, 48)) -> Edit:
    """Draw an edit as a perfect editor would make it. Arguments as in :func:`recolor`."""
    other = recolor(person, garment, color, rng)
    before, parts = render(person, scene, size, with_parts=True)
    return Edit(before=before, after=render(other, scene, size), mask=parts == PART[garment],
                captions=tuple(caption(person, scene, seed) for seed in caption_seeds),
                edited_captions=tuple(caption(other, scene, seed) for seed in caption_seeds))
