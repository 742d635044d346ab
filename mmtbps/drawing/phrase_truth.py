"""Truth of a phrase on a drawn picture, by what can be seen in it."""

from collections.abc import Mapping
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.lexicon import AskedPhrase
from mmtbps.lexicon.body_phrases import gender_of
from mmtbps.lexicon.color_distance import colors_beside, has_a_base
from mmtbps.lexicon.opposites import types_by_cut
from mmtbps.lexicon.vocabulary import colors

from .captions import visible
from .person import Occluder, Person, Pose, Scene

__all__ = ['base_color', 'holds', 'read_person', 'read_scene']

_UPPERS = {name: name for name in ('t-shirt', 'shirt', 'jacket', 'hoodie', 'coat', 'sweater',
                                   'tank top', 'dress')}
_LOWERS = {'pants': 'trousers', 'jeans': 'jeans', 'shorts': 'shorts', 'leggings': 'leggings',
           'skirt': 'skirt'}
_SHOES = {'sneakers': 'sneakers', 'sneaker': 'sneakers', 'boot': 'boots', 'boots': 'boots'}
_BAGS = {name: name for name in ('backpack', 'shoulder bag', 'handbag', 'shopping bag', 'suitcase')}
_HATS = {'cap': 'cap', 'baseball cap': 'cap', 'beanie': 'beanie'}
_PATTERNS = {'plain': 'plain', 'striped': 'striped', 'plaid': 'plaid', 'polka dot': 'dotted'}
_STYLES = ('short', 'long', 'shoulder-length', 'bald', 'ponytail', 'bun')


def holds(phrase: AskedPhrase, person: Person, scene: Scene,
          seen: frozenset[str] | None = None) -> bool | None:
    """Tell whether what a phrase names is so on a picture, whether the query denies it or not.

    Args:
        phrase: Of a query.
        person: Who is drawn.
        scene: How.
        seen: Of `mmtbps.drawing.captions.visible`, for whoever asks for many phrases.

    Returns:
        ``None`` where the picture hides it, where it may be called so (brown, tan; a tank top, a
        sleeveless shirt), or drawn people have no such thing.

    >>> import numpy as np
    >>> from mmtbps.drawing import sample_person, sample_scene
    >>> from mmtbps.lexicon import read_sentence
    >>> rng = np.random.default_rng((0, 1))
    >>> person, scene = sample_person(rng), sample_scene(rng)
    >>> [holds(read_sentence(word).phrases[0], person, scene) for word in ('man', 'woman')].count(
    ...     True)
    1
    """
    if phrase.kind == 'gender':
        return person.gender == gender_of(phrase.noun)
    seen = visible(person, scene) if seen is None else seen
    if phrase.kind == 'beard':
        return None if person.beard and 'beard' not in seen else person.beard
    if phrase.kind == 'hair':
        return _hair_holds(phrase, person, seen)
    slot, found = _find(phrase, person, seen)
    if not found or slot is None:
        return found if slot is not None else None
    if phrase.color and (colored := _is_colored(phrase, person.colors.get(slot))) is not True:
        return colored
    if phrase.pattern:
        if phrase.pattern not in _PATTERNS or slot != 'upper':
            return None
        return person.pattern == _PATTERNS[phrase.pattern]
    return True


def read_person(values: Mapping[str, Any]) -> Person:
    """Read a person of ``attributes.json``."""
    values = dict(values)
    return Person(**{('colors' if key == 'colours' else key): value
                     for key, value in values.items()})


def read_scene(values: Mapping[str, Any]) -> Scene:
    """Read a scene of ``attributes.json``.

    Raises:
        BadValue: It is of another version than 1.
    """
    try:
        return Scene(**{**values, 'pose': Pose(**{**values['pose'], 'elbows': tuple(
            values['pose']['elbows'])}), 'occluder': values['occluder'] and Occluder(
                **values['occluder'])})
    except TypeError as error:
        raise BadValue('the truth of phrases is known for version 1 of drawn people: '
                       'mmtbps draw --version 1') from error


def _find(phrase: AskedPhrase, person: Person,
          seen: frozenset[str]) -> tuple[str | None, bool | None]:
    """Return the slot of the color, and whether such a thing is worn; ``None`` if hidden."""
    name = phrase.name
    for slot, names, own in (('upper', _UPPERS, person.upper), ('lower', _LOWERS, person.lower)):
        if name in names:
            fits = own == names[name]
            return slot, None if not fits and own in types_by_cut(phrase) else fits
    if name in _SHOES or name in ('shoe', 'shoes'):
        fits = name not in _SHOES or person.shoes == _SHOES[name]
        return 'shoes', fits if 'shoes' in seen else None
    if name in _BAGS or name == 'bag':
        fits = person.bag != 'none' if name == 'bag' else person.bag == _BAGS[name]
        return 'bag', None if fits and 'bag' not in seen else fits
    if name in _HATS or name == 'hat':
        return 'hat', person.hat != 'none' if name == 'hat' else person.hat == _HATS[name]
    if name in ('glasses', 'sunglasses'):
        fits = person.glasses in ('glasses', 'sunglasses')[name == 'sunglasses':]
        return 'glasses', None if fits and 'glasses' not in seen else fits
    if name == 'scarf':
        return 'scarf', None if person.scarf and 'scarf' not in seen else person.scarf
    return None, None


def _is_colored(phrase: AskedPhrase, drawn: str | None) -> bool | None:
    """Tell whether a thing that is drawn in a color is of that of a phrase; ``None`` if perhaps."""
    if drawn is None or not phrase.bases:  # of glasses no color is drawn; "dark" is of no base
        return None
    words, has = phrase.color.lower(), base_color(drawn)
    if has in phrase.bases and has_a_base(words):
        return True
    return None if has in {*phrase.bases, *colors_beside(words)} else False


def _hair_holds(phrase: AskedPhrase, person: Person, seen: frozenset[str]) -> bool | None:
    if 'hair' not in seen or phrase.style not in ('', *_STYLES):
        return None
    if phrase.style:
        if person.hair in ('ponytail', 'bun') and 'tied hair' not in seen:
            return None
        if person.hair != phrase.style:
            return False
    if phrase.color in ('dark', 'light'):
        return None
    return person.hair != 'bald' and _hair_color(person) == phrase.color if phrase.color else True


def _hair_color(person: Person) -> str:
    return person.colors['hair'].removeprefix('dark ')


def base_color(name: str) -> str:
    """Return the basic color of one of the 16 of drawn people.

    >>> base_color('maroon'), base_color('dark blue')
    ('red', 'blue')
    """
    words = name.split()
    return colors()[name if name in colors() else words[-1]].name
