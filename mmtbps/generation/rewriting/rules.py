"""New captions out of what the lexicon understands of the old ones, without any model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import (
    CaptionReading,
    GarmentPhrase,
    garment_name,
    garments,
    indefinite_article,
    read_caption,
    split_words,
)
from mmtbps.lexicon.people import person_noun
from mmtbps.registry import TASK_UTILS

from .base import CaptionRewriter, RetellRequest

__all__ = ['RuleRewriter', 'retell']

_FRAMES = ('{a_person} wears {clothes}.', '{a_person} is wearing {clothes}.',
           'Wearing {clothes}, the {person} is seen.', 'The {person} is dressed in {clothes}.',
           'This {person} has on {clothes}.')
_WORN = ('upper', 'lower', 'full', 'shoes', 'hat', 'accessory')
_CARRIED = frozenset({'umbrella'})


@TASK_UTILS.register_module()
class RuleRewriter(CaptionRewriter):
    """Rewriter that tells the coloured clothes of a caption again, in another order and sentence.

    It needs no model and says nothing that the caption does not say, but less: places, actions and
    what has no colour are left out. It is the control that a language model has to beat. It tells
    what is as it was; a request with a change is refused.

    Args:
        min_garments: Captions with fewer coloured garments are not told again.

    Raises:
        BadValue: If ``min_garments`` is below 1.

    Example:
        >>> request = RetellRequest('j', ('A man in a red coat and blue jeans.',), None, seed=1)
        >>> RuleRewriter().rewrite([request])
        [['Wearing a red coat and blue jeans, the man is seen.']]
    """

    def __init__(self, min_garments: int = 2) -> None:
        if min_garments < 1:
            raise BadValue(f'min_garments must be at least 1, got {min_garments}')
        self.min_garments = min_garments

    @property
    def digest_fields(self) -> dict[str, Any]:
        return dict(type=type(self).__name__, min_garments=self.min_garments)

    def rewrite(self, requests: Sequence[RetellRequest]) -> list[list[str]]:
        self.refuse_changes(requests)
        found = []
        for request in requests:
            rng = np.random.default_rng(request.seed)
            told = [retell(caption, rng, self.min_garments) for caption in request.captions]
            found.append([caption for caption in told if caption is not None])
        return found


def retell(caption: str, rng: np.random.Generator, min_garments: int = 2) -> str | None:
    """Tell the coloured clothes of a caption in another sentence; ``None`` if there are too few."""
    worn = _certain(read_caption(caption))
    if len(worn) < min_garments:
        return None
    phrases = [_phrase(caption, worn[i]) for i in rng.permutation(len(worn))]
    frame = _FRAMES[int(rng.integers(len(_FRAMES)))]
    person = person_noun(split_words(caption)) or 'person'
    return frame.format(person=person, a_person=f'{indefinite_article(person).title()} {person}',
                        clothes=' and '.join(filter(None, [', '.join(phrases[:-1]), phrases[-1]])))


def _certain(reading: CaptionReading) -> list[GarmentPhrase]:
    if reading.doubt is not None:
        return []
    return [g for g in reading.garments if g.mention and not g.doubt and g.region in _WORN
            and garment_name(g.noun) not in _CARRIED]


def _phrase(caption: str, garment: GarmentPhrase) -> str:
    """Write a garment with its colour before it, and its article."""
    mention = garment.mention
    text = caption[slice(*mention.span)] if not mention.predicative else (
        f'{caption[slice(*mention.color)]} {caption[garment.start:garment.end]}')
    text = text.lower()
    entry = garments()[garment.noun]
    single = entry.article is not None and garment.noun == entry.singular
    return f'{indefinite_article(text)} {text}' if single else text
