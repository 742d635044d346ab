"""Sentences of one, two and three attributes, with the pictures that each is true of."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from mmtbps.lexicon import indefinite_article

from ..captions import listed
from .pictures import DrawnPicture
from .visible_attributes import Attribute, attributes

__all__ = ['FEWEST_PEOPLE', 'build_short_sentences', 'short_sentence', 'truth_table']

#: Attributes, and sets of them, that fewer people have are left out.
FEWEST_PEOPLE = 10
#: Ways to write a sentence, none of them one of the captions of the sets: as people type, in words
#: that those captions have, and as a question with words that they do not have.
WORDINGS = 3
_PLURALS = ('pants', 'jeans', 'shorts', 'leggings', 'shoes', 'sneakers', 'boots', 'glasses',
            'sunglasses', 'headphones', 'gloves', 'socks', 'hair')
_GROUPS = {2: 'two attributes', 3: 'three attributes'}


def build_short_sentences(pictures: Sequence[DrawnPicture], seed: int = 0,
                          most: int = 150) -> list[dict]:
    """Build the sentences of the benchmark.

    Args:
        pictures: Of the gallery.
        seed: Of the choice of sets of attributes.
        most: Sentences of two attributes, and as many of three.

    Returns:
        For each ``sentence``, ``group``, ``attributes``, and the places of the pictures that it is
        ``true`` of and of those that are ``unsure``.
    """
    known = attributes()
    table = truth_table(pictures, known)
    people = np.array([picture.person_id for picture in pictures])
    rng = np.random.default_rng(seed)
    found = []
    for number, attribute in enumerate(known):
        truth = table[number]
        if _people(people, truth) >= FEWEST_PEOPLE:
            found += [_entry([attribute], wording, truth, attribute.group)
                      for wording in range(WORDINGS)]
    for size, group in _GROUPS.items():
        sets = list(_sets(known, table, people, size))
        for i in np.sort(rng.permutation(len(sets))[:most]):
            chosen, truth = sets[i]
            found.append(_entry([known[k] for k in chosen], int(rng.integers(WORDINGS)), truth,
                                group))
    return found


def truth_table(pictures: Sequence[DrawnPicture], known: Sequence[Attribute]) -> np.ndarray:
    """Tell of each attribute in which pictures it is: 1, 0, or -1 for unsure; ``(A, N)`` int8."""
    return np.array([[-1 if (truth := one.truth(picture)) is None else int(truth)
                      for picture in pictures] for one in known], np.int8)


def short_sentence(chosen: Sequence[Attribute], wording: int) -> str:
    """Write a sentence as people type it.

    Args:
        chosen: One attribute or more, of different slots.
        wording: Below ``WORDINGS``.

    Example:
        >>> known = {one.name: one for one in attributes()}
        >>> [short_sentence([known['man'], known['suitcase']], wording) for wording in range(3)]
        ['man with suitcase', 'man on camera with a suitcase', \
'is there any man to be seen with a suitcase']
        >>> short_sentence([known['red top'], known['black pants']], 0)
        'red top and black pants'
    """
    who = next((one.who for one in chosen if one.who), '')
    things = [one.things for one in chosen if one.things]
    named = [thing if thing.split()[-1] in _PLURALS else f'{indefinite_article(thing)} {thing}'
             for thing in things]
    if wording == 0:
        return ' with '.join(filter(None, [who, listed(things)]))
    if wording == 1:
        return ' with '.join(filter(None, [f'{who or "one"} on camera', listed(named)]))
    return 'is there any ' + ' with '.join(filter(None, [
        f'{who or "person"} to be seen', listed(named)]))


def _sets(known: Sequence[Attribute], table: np.ndarray, people: np.ndarray,
          size: int) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Yield sets of attributes of different slots that enough people have, with their truth."""
    often = [i for i in range(len(known)) if _people(people, table[i]) >= FEWEST_PEOPLE]
    for chosen in combinations(often, size):
        if len({known[i].slot for i in chosen}) < size:
            continue
        truth = _all_of(table[list(chosen)])
        if _people(people, truth) >= FEWEST_PEOPLE:
            yield chosen, truth


def _all_of(table: np.ndarray) -> np.ndarray:
    """Tell whether all attributes are there: no if one is not, else unsure if one is unsure."""
    return np.where((table == 0).any(0), 0, np.where((table == -1).any(0), -1, 1)).astype(np.int8)


def _people(people: np.ndarray, truth: np.ndarray) -> int:
    return len(set(people[truth == 1].tolist()))


def _entry(chosen: Sequence[Attribute], wording: int, truth: np.ndarray, group: str) -> dict:
    return dict(sentence=short_sentence(chosen, wording), group=group,
                attributes=[one.name for one in chosen],
                true=np.flatnonzero(truth == 1).tolist(),
                unsure=np.flatnonzero(truth == -1).tolist())
