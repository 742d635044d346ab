"""Attributes that a short sentence may ask for, and their truth in a picture: yes, no or unsure.

What a person has and the picture does not clearly show is unsure: what is hidden, what captions do
not tell of in such a view, and a color that its own pixels would be named otherwise by. So is what
the words may or may not mean: a navy coat for "blue", a jacket for "top". Unsure pictures are no
part of the gallery of that sentence.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..attributes import COLORS
from ..captions import visible
from ..details import DETAILS, DetailedPerson, visible_details
from .color_relations import related_colors
from .pictures import DrawnPicture

__all__ = ['Attribute', 'attributes']

#: Truth of an attribute in a picture: True, False, or None for unsure.
Truth = bool | None
_TOPS = ('t-shirt', 'shirt', 'sweater', 'tank top', 'hoodie')
_PANTS = ('trousers', 'jeans', 'leggings')
_PATTERNS = {'striped': 'striped', 'checkered': 'plaid'}
#: Parts of which `visible` tells.
_HIDDEN_BY_A_VIEW = frozenset({'glasses', 'hat', 'hair', 'scarf', 'bag', 'shoes'})
#: What is asked for by a word -> what the word may mean too.
_GARMENTS = {'jacket': ('hoodie', 'coat'), 'hoodie': ('jacket',), 'long coat': ('jacket',),
             'dress': (), 'sweater': ('hoodie',), 'tank top': (), 't-shirt': ('shirt',)}
_LEGWEAR = {'jeans': (), 'shorts': (), 'skirt': (), 'leggings': ('trousers', 'jeans')}
_HAIR_COLORS = {'blonde': (), 'gray': (), 'red': ('brown',), 'black': ('dark brown',)}


@dataclass(frozen=True)
class Attribute:
    """One thing that can be asked for.

    Args:
        group: Of the table.
        name: Unique.
        things: Noun phrase without an article; ``''`` for a person.
        who: Noun of the person; ``''`` for any.
        slot: Two attributes of one slot are never asked for together.
        truth: Tells whether a picture has it.
    """

    group: str
    name: str
    things: str
    who: str
    slot: str
    truth: Callable[[DrawnPicture], Truth]


@cache
def attributes() -> tuple[Attribute, ...]:
    """List all attributes, those of version 2 of the people included."""
    return (*_colors(), *_clothes(), *_carried(), *_of_the_body(), *_details())


def _colors() -> Iterator[Attribute]:
    for color in COLORS:
        yield Attribute('upper color', f'{color} top', f'{color} top', '', 'upper',
                        lambda picture, color=color: _upper(picture, color))
        yield Attribute('lower color', f'{color} pants', f'{color} pants', '', 'lower',
                        lambda picture, color=color: _colored(
                            picture, 'lower', color, picture.person.lower in _PANTS))
        yield Attribute('shoe color', f'{color} shoes', f'{color} shoes', '', 'shoes',
                        lambda picture, color=color: _colored(picture, 'shoes', color))


def _colored(picture: DrawnPicture, slot: str, color: str, named: bool = True) -> Truth:
    """Tell whether a slot has a color; ``named`` says whether the noun fits what is worn."""
    if not picture.person.wears(slot):
        return False
    has = picture.person.colors[slot]
    seen = picture.seen_colors.get(slot, has)
    if has == color:
        clear = seen == color or seen in related_colors(color)
        return True if named and clear and _shows(picture, slot) else None
    return None if has in related_colors(color) or seen == color else False


def _upper(picture: DrawnPicture, color: str) -> Truth:
    person = picture.person
    patterned = person.pattern != 'plain' or person.contrast_sleeves
    beside = [person.colors['accent']] if patterned else []
    beside += [person.colors['inner']] if person.open else []
    if isinstance(person, DetailedPerson) and person.details.vest:
        beside.append(person.details.vest)
    truth = _colored(picture, 'upper', color, person.upper in _TOPS and person.pattern != 'block')
    unclear = any(other == color or other in related_colors(color) for other in beside)
    return None if truth is False and unclear else truth


def _clothes() -> Iterator[Attribute]:
    for slot, table in (('upper', _GARMENTS), ('lower', _LEGWEAR)):
        for name, near in table.items():
            worn = {'long coat': 'coat'}.get(name, name)
            yield Attribute('garment', name, name, '', slot,
                            lambda picture, slot=slot, worn=worn, near=near: _garment(
                                picture, slot, worn, near))
    for name in ('boots', 'sneakers'):
        yield Attribute('garment', name, name, '', 'shoes',
                        lambda picture, name=name: _is(picture.person.shoes, name, (),
                                                       _shows(picture, 'shoes')))
    for word, pattern in _PATTERNS.items():
        yield Attribute('pattern', word, f'{word} top', '', 'upper',
                        lambda picture, pattern=pattern: _is(
                            picture.person.pattern, pattern, (), picture.shows('upper')
                            and picture.person.upper in _TOPS))


def _garment(picture: DrawnPicture, slot: str, worn: str, near: tuple[str, ...]) -> Truth:
    person = picture.person
    truth = _is(getattr(person, slot), worn, near, _shows(picture, slot))
    beneath = worn == 't-shirt' and person.open  # seen between the sides of a jacket
    return None if truth is False and beneath else truth


def _shows(picture: DrawnPicture, part: str) -> bool:
    """Tell whether a part is clearly seen, and in a view in which captions speak of it.

    From the side glasses are a line at the temple. No caption tells of them, so nobody could learn
    from captions that they are there.
    """
    hidden = part in _HIDDEN_BY_A_VIEW and part not in visible(picture.person, picture.scene)
    return picture.shows(part) and not hidden


def _is(has: str, asked: str, near: tuple[str, ...], seen: bool) -> Truth:
    if has == asked:
        return True if seen else None
    return None if has in near else False


def _carried() -> Iterator[Attribute]:
    # "Bag" is in the words of most, so that a handbag is one of several things.
    for name, near in {'backpack': (), 'suitcase': (), 'shopping bag': ('handbag',),
                       'shoulder bag': (), 'handbag': ('shopping bag', 'shoulder bag')}.items():
        yield Attribute('bag', name, name, '', 'bag', lambda picture, name=name, near=near: _is(
            picture.person.bag, name, near, _shows(picture, 'bag')))
    yield Attribute('hat', 'hat', 'hat', '', 'hat', lambda picture: _is(
        'none' if picture.person.hat == 'none' else 'hat', 'hat', (), _shows(picture, 'hat')))
    for name, worn, near in (('glasses', 'glasses', ('sunglasses',)),
                             ('sunglasses', 'sunglasses', ('glasses',))):
        yield Attribute('glasses', name, name, '', 'glasses',
                        lambda picture, worn=worn, near=near: _is(
                            picture.person.glasses, worn, near, _shows(picture, 'glasses')))
    yield Attribute('scarf', 'scarf', 'scarf', '', 'scarf', lambda picture: (
        (_shows(picture, 'scarf') or None) if picture.person.scarf else False))


def _of_the_body() -> Iterator[Attribute]:
    for gender in ('woman', 'man'):
        yield Attribute('person', gender, '', gender, 'person',
                        lambda picture, gender=gender: picture.person.gender == gender)
    yield Attribute('beard', 'beard', 'beard', '', 'beard', lambda picture: (
        ('beard' in visible(picture.person, picture.scene) or None)
        if picture.person.beard else False))
    for color, near in _HAIR_COLORS.items():
        yield Attribute('hair', f'{color} hair', f'{color} hair', '', 'hair',
                        lambda picture, color=color, near=near: _hair(picture, color, near))


def _hair(picture: DrawnPicture, color: str, near: tuple[str, ...]) -> Truth:
    if picture.person.hair == 'bald':
        return False
    has = picture.person.colors['hair']
    seen = picture.seen_colors.get('hair', has)
    truth = _is(has, color, near, _shows(picture, 'hair') and seen in (color, *near))
    return None if truth is False and seen == color else truth


def _details() -> Iterator[Attribute]:
    names = {'mask': 'face mask', 'bottle': 'water bottle', 'stripe': ''}
    for detail in DETAILS:
        if name := names.get(detail, detail):
            yield Attribute('detail', name, name, '', detail,
                            lambda picture, detail=detail: _detail(picture, detail))


def _detail(picture: DrawnPicture, name: str) -> Truth:
    person, scene = picture.person, picture.scene
    if not isinstance(person, DetailedPerson) or getattr(person.details, name) is None:
        return False
    yaw = scene.pose.yaw
    seen = visible_details(person, np.cos(yaw), person.bag_side * np.sin(yaw), scene.feet_hidden,
                           scene.sides_hidden)
    return True if name in seen else None
