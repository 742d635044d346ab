"""Comparison of a new caption with the captions that a picture had."""

from collections import defaultdict
from collections.abc import Sequence

from mmtbps.lexicon import (
    CaptionReading,
    ColorMention,
    GarmentPhrase,
    garment_name,
    read_caption,
    split_words,
)
from mmtbps.lexicon.people import person_noun

__all__ = ['unfaithful']

#: Regions that cover each other, so that one may be called by the name of the other.
_SAME = {'upper': 'body', 'lower': 'body', 'full': 'body'}
#: Doubts of a caption whose colours may be those of somebody else.
_OF_OTHERS = ('several people', 'a mannequin, a display or an animal')
_UNKNOWN_COLOR = 'words that may be a color'
_PRONOUNS = frozenset('he she they his her their him'.split())


def unfaithful(captions: Sequence[str], new: str, sees_pictures: bool = False) -> str | None:
    """Give the reason for which a new caption is not true of what the others say.

    Args:
        captions: Captions of the picture.
        new: The new caption.
        sees_pictures: It was written from the picture, so that it may say more than the captions;
            otherwise each colour of a garment must be one that they give to such a garment, worn or
            not as they say.

    Returns:
        The reason in words; ``None`` if there is none.

    >>> captions = ['A man in a red coat and black pants.']
    >>> unfaithful(captions, 'He wears black pants and a red coat.')
    >>> unfaithful(captions, 'He wears a black coat and red pants.')
    'black coat'
    >>> unfaithful(captions, 'He wears white shoes.'), unfaithful(
    ...     captions, 'He wears white shoes.', sees_pictures=True)
    ('white shoes', None)
    """
    reading = read_caption(new)
    if any(sign in new for sign in '<>[]{}') or not _speaks_of_a_person(new, reading):
        return 'no caption'  # "description]", "<image>", "I cannot help with that."
    if reading.doubt is not None:
        return reading.doubt
    known = _Known.of([read_caption(caption) for caption in captions])
    told = {id(garment.mention): garment for garment in reading.garments}
    for mention in reading.mentions:
        if not known.allows(mention, told.get(id(mention)), sees_pictures):
            return new[slice(*mention.span)]
    for garment in reading.garments:
        if garment.doubt == _UNKNOWN_COLOR and not sees_pictures and (
                garment.noun not in known.unknown):
            return f'{garment.noun}: {garment.doubt}'
    return None


class _Known:
    """All that captions say of colours, by region and by garment, apart for what is not worn."""

    def __init__(self) -> None:
        self.by_region: dict[tuple, set[str]] = defaultdict(set)
        self.by_noun: dict[tuple, set[str]] = defaultdict(set)
        self.unknown: set[str] = set()

    @classmethod
    def of(cls, readings: Sequence[CaptionReading]) -> '_Known':
        known = cls()
        for reading in readings:
            if reading.doubt in _OF_OTHERS:
                continue
            told = {id(garment.mention): garment for garment in reading.garments}
            for mention in reading.mentions:
                state = _state(told.get(id(mention)))
                known.by_region[mention.region, state] |= set(mention.bases)
                known.by_noun[garment_name(mention.noun), state] |= set(mention.bases)
                if mention.region in _SAME:
                    known.by_region[_SAME[mention.region], state] |= set(mention.bases)
            known.unknown |= {g.noun for g in reading.garments if g.doubt == _UNKNOWN_COLOR}
        return known

    def allows(self, mention: ColorMention, garment: GarmentPhrase | None,
               sees_pictures: bool) -> bool:
        state, bases = _state(garment), set(mention.bases)
        if state == 'negated' and bases & self.by_region[mention.region, None]:
            return False
        of_noun = self.by_noun[garment_name(mention.noun), state] if mention.noun else None
        near = self.by_region[mention.region, state] | (
            self.by_region['body', state] if mention.region == 'full' else set()) | (
            self.by_region['full', state] if mention.region in _SAME else set())
        known = of_noun or near
        return bases <= known or (sees_pictures and not known)


def _state(garment: GarmentPhrase | None) -> str | None:
    return garment.doubt if garment and garment.doubt in ('negated', 'not worn') else None


def _speaks_of_a_person(caption: str, reading: CaptionReading) -> bool:
    words = split_words(caption)
    return bool(reading.mentions or reading.garments or person_noun(words)
                or any(word.key in _PRONOUNS for word in words))
