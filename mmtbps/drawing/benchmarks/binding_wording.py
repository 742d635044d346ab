"""Words of the binding benchmark: known words in sentences that no caption of the sets has."""

from collections.abc import Sequence

from mmtbps.lexicon import indefinite_article

from ..captions import listed
from ..person import Person

__all__ = ['ACCESSORIES', 'BINDING_FRAMES', 'name_of', 'phrase', 'sentence']

#: Frames of the sentences. ``{who}`` is a noun, ``{things}`` a list with articles.
BINDING_FRAMES = (
    '{things} on one {who}.',
    'The camera has a {who}, and on this {who} {things}.',
    'With {things}, it is this {who}.',
    'Seen from the camera: {things}, and it is a {who}.',
    'One {who}, the one with {things}, is on camera.',
)
_NAMES = {'trousers': 'pants', 'coat': 'long coat', 'cap': 'baseball cap'}
_PLURAL = frozenset('pants jeans shorts leggings sneakers shoes boots glasses sunglasses'.split())
#: Families of accessories, by attribute of `Person`.
ACCESSORIES = {
    'bag': ('backpack', 'shoulder bag', 'handbag', 'shopping bag', 'suitcase'),
    'hat': ('cap', 'beanie'), 'glasses': ('glasses', 'sunglasses'), 'scarf': ('scarf',)}


def name_of(person: Person, slot: str) -> str:
    """Name what a person wears in a slot of `mmtbps.drawing.person.GARMENTS`.

    >>> import numpy as np
    >>> from mmtbps.drawing.person import sample_person
    >>> name_of(sample_person(np.random.default_rng((0, 1))), 'lower')
    'pants'
    """
    worn = 'scarf' if slot == 'scarf' else getattr(person, slot)
    return _NAMES.get(worn, worn)


def phrase(name: str, color: str = '') -> str:
    """Write a thing with its article, and its color if it has one.

    >>> phrase('jacket', 'orange'), phrase('jeans', 'blue'), phrase('cap')
    ('an orange jacket', 'blue jeans', 'a baseball cap')
    """
    name = _NAMES.get(name, name)
    text = f'{color} {name}'.strip()
    return text if name in _PLURAL else f'{indefinite_article(text)} {text}'


def sentence(frame: str, who: str, things: Sequence[str]) -> str:
    """Write the things into a frame.

    >>> sentence(BINDING_FRAMES[0], 'man', ['a red coat', 'blue jeans'])
    'A red coat and blue jeans on one man.'
    """
    text = frame.format(who=who, things=listed(list(things)))
    return text[0].upper() + text[1:]
