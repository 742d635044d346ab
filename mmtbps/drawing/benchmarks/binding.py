"""Attribute binding on drawn people: captions that are wrong in one thing that can be seen.

Every negative is as plausible as the truth, see `.exchange`; no color of a negative could be taken
for the right one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np

from ..attributes import COLORS, dye
from ..person import Person, color_weights
from .binding_wording import ACCESSORIES, BINDING_FRAMES, name_of, phrase, sentence
from .color_relations import told_apart
from .exchange import draw_negative
from .pictures import DrawnPicture

__all__ = ['build_binding', 'repaint']

_GARMENTS = ('upper', 'lower', 'shoes')
_SLOTS = (*_GARMENTS, 'bag', 'hat', 'scarf')
#: Things in one caption.
_FEWEST, _MOST = 2, 4
#: Captions of each kind that are tried for a picture; about a third of them finds a negative.
_TRIES = 4
_NOTHING = ''


def build_binding(pictures: Sequence[DrawnPicture],
                  seed: int = 0) -> tuple[list[dict], list[tuple]]:
    """Build the items of the benchmark.

    Args:
        pictures: Of the people to ask for.
        seed: Of all choices.

    Returns:
        Items with ``image``, ``caption``, ``negative``, ``kind`` and ``group``; and the pairs of
        pictures to draw: a picture, the colors that its twin wears by slot, both captions.
    """
    counts = {family: Counter(_state_of(picture, family) for picture in pictures)
              for family in ACCESSORIES}
    items, twins = [], []
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng((seed, number))
        slots = _colored_slots(picture)
        for chosen in _choose(slots, rng):
            items += _permuted(picture, chosen, rng, twins)
        for chosen in _choose(slots, rng):
            items += _replaced(picture, chosen, rng)
        for family in ACCESSORIES:
            items += _with_accessory(picture, family, counts[family], slots, rng)
    return items, twins


def repaint(person: Person, colors: dict[str, str], rng: np.random.Generator) -> Person:
    """Give several things of a person other colors at once.

    Args:
        person: The person.
        colors: Slot -> color; slots that keep theirs keep their shade too.
        rng: Draws the shades of new cloth.
    """
    new = {slot: color for slot, color in colors.items() if person.colors[slot] != color}
    return replace(person, colors={**person.colors, **new},
                   rgb={**person.rgb, **{slot: dye(rng, COLORS[color])
                                         for slot, color in new.items()}})


def _colored_slots(picture: DrawnPicture) -> list[str]:
    """List the slots of one plain color that are clearly seen; the choice knows no color."""
    person = picture.person
    plain = person.pattern == 'plain' and not person.contrast_sleeves
    return [slot for slot in _SLOTS if person.wears(slot) and picture.shows(slot)
            and (slot != 'upper' or plain)]


def _choose(slots: Sequence[str], rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """Yield different sets of slots to speak of, in random order."""
    options = [chosen for size in range(_FEWEST, _MOST + 1) for chosen in combinations(slots, size)]
    for i in rng.permutation(len(options))[:_TRIES]:
        yield tuple(options[i][k] for k in rng.permutation(len(options[i])))


def _permuted(picture: DrawnPicture, slots: Sequence[str], rng: np.random.Generator,
              twins: list[tuple]) -> Iterator[dict]:
    weights = color_weights(picture.person)

    def neighbors(state: tuple[str, ...]) -> list[tuple[str, ...]]:
        orders = sorted({order for order in permutations(state)} - {state})
        return [order for order in orders if any(map(told_apart, state, order)) and all(
            weights[slot].get(color) for slot, color in zip(slots, order, strict=True))]

    found = _other_colors(picture, slots, neighbors, rng)
    if found is not None:
        caption, negative, colors = found
        twins.append((picture, colors, (caption, negative)))
        yield _item(picture, caption, negative, 'permuted')


def _replaced(picture: DrawnPicture, slots: Sequence[str],
              rng: np.random.Generator) -> Iterator[dict]:
    weights, place = color_weights(picture.person), int(rng.integers(len(slots)))

    def neighbors(state: tuple[str, ...]) -> list[tuple[str, ...]]:
        others = state[:place] + state[place + 1:]
        if state[place] in others:
            return []
        return [state[:place] + (color,) + state[place + 1:] for color in weights[slots[place]]
                if color not in state and told_apart(color, state[place])]

    found = _other_colors(picture, slots, neighbors, rng)
    if found is not None:
        of = 'a garment' if slots[place] in _GARMENTS else 'an accessory'
        yield _item(picture, *found[:2], f'replaced on {of}', 'replaced')


def _other_colors(picture: DrawnPicture, slots: Sequence[str], neighbors,
                  rng: np.random.Generator) -> tuple[str, str, dict[str, str]] | None:
    """Draw other colors for some slots; return both captions and the colors."""
    person, weights = picture.person, color_weights(picture.person)
    true = tuple(person.colors[slot] for slot in slots)
    frame = BINDING_FRAMES[int(rng.integers(len(BINDING_FRAMES)))]
    other = draw_negative(true, neighbors, lambda state: np.prod(
        [weights[slot].get(color, 0.) for slot, color in zip(slots, state, strict=True)]), rng)
    if other is None:
        return None
    caption, negative = (sentence(frame, person.gender, [
        phrase(name_of(person, slot), color) for slot, color in zip(slots, colors, strict=True)])
        for colors in (true, other))
    return caption, negative, dict(zip(slots, other, strict=True))


def _state_of(picture: DrawnPicture, family: str) -> str | None:
    """Name the accessory of a family that is seen, ``''`` for none, ``None`` for a hidden one."""
    person = picture.person
    worn = ('scarf' if person.scarf else 'none') if family == 'scarf' else getattr(person, family)
    if worn == 'none':
        return _NOTHING
    return worn if picture.shows(family) else None


def _with_accessory(picture: DrawnPicture, family: str, counts: Counter, slots: Sequence[str],
                    rng: np.random.Generator) -> Iterator[dict]:
    """Give, take, leave out or exchange an accessory; how often each is true is counted."""
    true = _state_of(picture, family)
    others = [slot for slot in slots if slot != family]
    said = bool(rng.random() < .5)
    frame = BINDING_FRAMES[int(rng.integers(len(BINDING_FRAMES)))]
    if true is None or not others:
        return
    spoken = [others[i] for i in rng.permutation(len(others))[:1 + int(rng.integers(2))]]
    place = int(rng.integers(len(spoken) + 1))
    states = [state for state in (_NOTHING, *ACCESSORIES[family]) if counts[state]]
    negative = draw_negative(true, lambda state: [one for one in states if one != state],
                             counts.__getitem__, rng)
    if negative is None:
        return
    things = [phrase(name_of(picture.person, slot), picture.person.colors[slot])
              for slot in spoken]
    absent = [f'no {family}'] if said else []
    texts = [sentence(frame, picture.person.gender, [
        *things[:place], *([phrase(state)] if state else absent), *things[place:]])
        for state in (true, negative)]
    kind = ('exchanged' if negative else 'taken' if said else 'left out') if true else 'given'
    yield _item(picture, *texts, f'accessory {kind}', 'accessory')


def _item(picture: DrawnPicture, caption: str, negative: str, kind: str,
          group: str | None = None) -> dict:
    return dict(image=picture.path, caption=caption, negative=negative, kind=kind,
                group=group or kind)

