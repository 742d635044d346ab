"""Parts of captions as sentences to be asked, with the people whom each of them fits."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmtbps.errors import BadValue
from mmtbps.lexicon.partial_captions import PartialCaption, partial_caption
from mmtbps.lexicon.stated_facts import StatedFacts, join_facts, stated_facts

__all__ = ['FITS', 'FITS_NOT', 'UNKNOWN', 'CaptionParts', 'parts_of_captions']

#: A part fits a person; it does not; nobody knows.
FITS, FITS_NOT, UNKNOWN = 1, 0, -1
#: So many parts are taken of a caption, if it says enough, and of so many captions at most.
_EACH, _MOST_CAPTIONS = 2, 2000


class CaptionParts(NamedTuple):
    """Q short sentences that say a part of a caption.

    Args:
        sentences: As one may search with them.
        people: ``(Q,)`` ids of the people whose captions they are parts of.
        fits: ``(Q, N)`` int8 of N pictures: ``FITS``, ``FITS_NOT`` or ``UNKNOWN``.
    """

    sentences: list[str]
    people: NDArray[np.integer]
    fits: NDArray[np.int8]


def parts_of_captions(captions: Sequence[str], people: NDArray, pictures: NDArray,
                      seed: int = 0) -> CaptionParts:
    """Take parts of captions, and read out of all captions whom else they fit.

    "Red coat" fits more people than the one whose caption it comes from. It fits whoever has a
    caption that says so; it does not fit those whose captions rule it out: a coat of another color,
    another thing in the coat's place, or no word of what one can do without, such as a bag. Of all
    others nobody knows. People leave things out, so some of those whom it is not to fit have it
    after all, and a calibration on such parts comes out too careful.

    Args:
        captions: At least one.
        people: Ids of the person of each.
        pictures: ``(N,)`` ids of the person of each picture.
        seed: Of what is taken.

    Raises:
        BadValue: No caption can be read.

    Example:
        >>> captions = ['A man in a red coat.', 'A man in a blue coat.', 'A man.']
        >>> parts = parts_of_captions(captions, np.arange(3), np.arange(3), seed=3)
        >>> dict(zip(parts.sentences, parts.fits.tolist()))['red coat']
        [1, 0, -1]
    """
    known, places = np.unique(people, return_inverse=True)
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(len(captions))[:_MOST_CAPTIONS]).tolist()
    drawn = [(partial_caption(captions[one], generator), int(places[one]))
             for one in chosen for _ in range(_EACH)]
    taken = dict.fromkeys((part, place) for part, place in drawn if part is not None)
    if not taken:
        raise BadValue('nothing is read in the captions that could be asked alone, such as '
                       '"red coat"')
    facts = _facts_of_people(captions, places, len(known))
    owners = np.array([place for _, place in taken], int)
    fits = _whom_they_fit([part for part, _ in taken], facts)
    # Captions of a person may disagree.
    sure = np.flatnonzero(fits[np.arange(len(taken)), owners] == FITS)
    sentences = [part.text for part, _ in taken]
    # Of somebody without a caption nothing is known.
    columns = np.where(np.isin(pictures, known), np.searchsorted(known, pictures), len(known))
    fits = np.pad(fits[sure], ((0, 0), (0, 1)), constant_values=UNKNOWN)
    return CaptionParts([sentences[row] for row in sure], known[owners[sure]], fits[:, columns])


def _facts_of_people(captions: Sequence[str], places: NDArray, count: int) -> list[StatedFacts]:
    """Join what the captions of each person state, and what they rule out."""
    found: list[list[StatedFacts]] = [[] for _ in range(count)]
    for caption, place in zip(captions, places.tolist(), strict=True):
        found[place].append(stated_facts(caption))
    return [*map(join_facts, found)]


def _whom_they_fit(parts: Sequence[PartialCaption], people: Sequence[StatedFacts]
                   ) -> NDArray[np.int8]:
    """Compute ``(Q, P)`` whether parts fit people, fact by fact."""
    asked = {fact for part in parts for fact in part.facts}
    true = _columns(asked, [facts.true for facts in people])
    false = _columns(asked, [(facts.false | facts.unnamed) - facts.true for facts in people])
    fits = np.full((len(parts), len(people)), UNKNOWN, np.int8)
    for row, part in enumerate(parts):
        fits[row, np.all([true[fact] for fact in part.facts], 0)] = FITS
        fits[row, np.any([false[fact] for fact in part.facts], 0)] = FITS_NOT
    return fits


def _columns(asked: Iterable[str], facts: Sequence[frozenset[str]]) -> dict[str, NDArray[np.bool_]]:
    columns = {fact: np.zeros(len(facts), bool) for fact in asked}
    for place, found in enumerate(facts):
        for fact in found & columns.keys():
            columns[fact][place] = True
    return columns
