"""Details that people of the second version wear and hold, on top of those of the first.

A person of version 2 is the person of version 1 with the same seed and id, and details drawn by
lots of their own; so the first version stays as it is.
"""

from dataclasses import dataclass, fields

import numpy as np

from . import attributes as table
from .attributes import RGB, Weights, dye, pick
from .person import Person

__all__ = ['DETAILS', 'DetailedPerson', 'Details', 'add_details', 'visible_details']

#: How likely each detail is where it can be worn, and its colors.
DETAILS: dict[str, tuple[float, Weights]] = {
    'mask': (.1, {'white': .4, 'light blue': .4, 'black': .2}),
    'headphones': (.1, {'black': .5, 'white': .3, 'red': .2}),
    'gloves': (.1, {'black': .5, 'red': .2, 'gray': .2, 'brown': .1}),
    'vest': (.14, {'orange': .3, 'yellow': .25, 'black': .2, 'green': .15, 'red': .1}),
    'tie': (.35, {'black': .3, 'red': .3, 'blue': .2, 'yellow': .2}),
    'belt': (.35, {'black': .4, 'brown': .3, 'white': .2, 'red': .1}),
    'stripe': (.2, {'white': .5, 'red': .25, 'yellow': .25}),
    'socks': (.5, {'white': .5, 'black': .2, 'red': .15, 'blue': .15}),
    'umbrella': (.08, {'black': .4, 'red': .2, 'blue': .2, 'yellow': .2}),
    'bottle': (.12, {'blue': .3, 'green': .25, 'white': .25, 'pink': .2}),
}
_SHORT_LEGGED = ('shorts', 'skirt', 'none')


@dataclass(frozen=True)
class Details:
    """Colors of the details of a person by name; ``None`` for one that is not there.

    ``stripe`` runs down the sides of the trousers. ``umbrella``, closed, and ``bottle`` are held in
    the hand that has no bag.
    """

    mask: str | None = None
    headphones: str | None = None
    gloves: str | None = None
    vest: str | None = None
    tie: str | None = None
    belt: str | None = None
    stripe: str | None = None
    socks: str | None = None
    umbrella: str | None = None
    bottle: str | None = None

    def present(self) -> dict[str, str]:
        """Return the colors of those that are there."""
        return {field.name: color for field in fields(self)
                if (color := getattr(self, field.name)) is not None}


@dataclass(frozen=True)
class DetailedPerson(Person):
    """Looks of a person of version 2.

    Attributes:
        details: What is worn and held besides.
        detail_rgb: The colors of the details as drawn.
    """

    details: Details
    detail_rgb: dict[str, RGB]


def add_details(person: Person, rng: np.random.Generator) -> DetailedPerson:
    """Draw details for a person by lot.

    >>> from mmtbps.drawing.person import sample_person
    >>> person = sample_person(np.random.default_rng((0, 1)))
    >>> add_details(person, np.random.default_rng(0)).upper == person.upper
    True
    """
    worn, rgb = {}, {}
    for name, (share, colors) in DETAILS.items():
        lot, color = rng.random(), pick(rng, colors)
        shade = dye(rng, table.COLORS[color])
        taken = {'vest': 'upper', 'tie': 'upper', 'belt': 'lower', 'stripe': 'lower'}.get(name)
        if lot < share and _suits(name, person, worn) and (
                taken is None or person.colors[taken] != color):
            worn[name], rgb[name] = color, shade
    looks = {field.name: getattr(person, field.name) for field in fields(Person)}
    return DetailedPerson(**looks, details=Details(**worn), detail_rgb=rgb)


def _suits(name: str, person: Person, worn: dict[str, str]) -> bool:
    """Tell whether a detail can be worn, and seen, with the clothes."""
    return {
        'mask': not person.beard,
        'headphones': person.hat == 'none',
        'vest': person.upper in ('t-shirt', 'shirt', 'sweater') and person.pattern != 'logo',
        'tie': person.upper == 'shirt' and not person.scarf and 'vest' not in worn,
        'belt': person.lower in ('trousers', 'jeans', 'shorts') and person.upper in (
            't-shirt', 'shirt', 'tank top', 'sweater'),
        'stripe': person.lower in ('trousers', 'leggings'),
        'socks': person.lower in _SHORT_LEGGED and person.shoes != 'boots',
        'bottle': 'umbrella' not in worn,
    }.get(name, True)


def visible_details(person: DetailedPerson, facing: float, far: float, feet_hidden: bool,
                    sides_hidden: bool = False) -> dict[str, str]:
    """Return the colors of the details in view; those that may be hidden are left out.

    Args:
        person: of version 2.
        facing: 1 into the camera, -1 away from it.
        far: 1 where the bag's side is behind the body, -1 where the other one is.
        feet_hidden: whether something stands before the feet.
        sides_hidden: whether something may stand before one side, or it may be cut off.
    """
    hidden = {'mask': facing < .25, 'tie': facing < .5, 'socks': feet_hidden,
              'gloves': sides_hidden,
              'headphones': sides_hidden or person.hair in ('long', 'shoulder-length')}
    held = sides_hidden or far < -.25 or facing < -.5
    hidden.update(umbrella=held, bottle=held)
    return {name: color for name, color in person.details.present().items()
            if not hidden.get(name, False)}
