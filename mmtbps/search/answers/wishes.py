"""Wishes beside a sentence: what must hold, what is denied, and marks of right and wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import AskedPhrase, read_sentence
from mmtbps.lexicon.asked_phrases import NOT_MEANT

from ..galleries.base import BaseGallery, Hit
from .feedback import move_query
from .phrase_weights import check_weight
from .phrases import PhraseChecker, PhraseMark

__all__ = ['Wishes', 'order_by_marks', 'read_must']

#: What is encoded of a query that only denies things.
ANYBODY = 'a person'
_PLACES = dict(yes=0, unsure=1, no=2)


def read_must(texts: str | Sequence[str]) -> tuple[AskedPhrase, ...]:
    """Read what must hold.

    Raises:
        BadValue: A text has nothing that can be checked.

    Example:
        >>> [str(phrase) for phrase in read_must(['red coat', 'no hat'])]
        ['red coat', 'no hat']
    """
    found: list[AskedPhrase] = []
    for text in [texts] if isinstance(texts, str) else list(texts):
        if not isinstance(text, str) or not (phrases := PhraseChecker.phrases(text)):
            raise BadValue(f'{text!r} cannot be checked: name a garment with its color or pattern, '
                           'something worn or carried, hair, beard, man or woman, such as '
                           '"red coat" or "no hat"')
        found += phrases
    return tuple(found)


@dataclass(frozen=True)
class Wishes:
    """All that is asked beside the sentences of a query.

    Args:
        must: Phrases that order the answer.
        like: Ids of entries that look right.
        unlike: Ids of entries that do not.
        mark: Whether the phrases of a sentence are marked on the hits, without ordering them.
        weigh: Weight of the phrases of a sentence beside the sentence, up to 1,000, see
            `mmtbps.search.answers.phrase_weights`; True is 1.
    """

    must: tuple[AskedPhrase, ...] = ()
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    mark: bool = False
    weigh: float = 0.

    @classmethod
    def of(cls, must: str | Sequence[str] = (), like: str | Sequence[str] = (),
           unlike: str | Sequence[str] = (), mark: bool = False,
           weigh: float = 0.) -> 'Wishes':
        """Read wishes from text.

        Raises:
            BadValue: Nothing of a text can be checked, one entry is right and wrong, or the
                weight is none.
        """
        check_weight(weigh)
        like, unlike = (tuple(dict.fromkeys([ids] if isinstance(ids, str) else ids))
                        for ids in (like, unlike))
        if both := set(like) & set(unlike):
            raise BadValue(f'{min(both)!r} is marked right and wrong')
        return cls(read_must(must), like, unlike, bool(mark), float(weigh))

    def move(self, queries: np.ndarray, gallery: BaseGallery) -> np.ndarray:
        """Move ``(Q, D)`` queries by the pictures marked right and wrong.

        Raises:
            UnknownEntry: There is no such entry.
        """
        if not self.like and not self.unlike:
            return queries
        right, wrong = (gallery.get(ids)[1] if ids else np.empty((0, queries.shape[1]), np.float32)
                        for ids in (self.like, self.unlike))
        return np.stack([move_query(query, right, wrong) for query in queries])

    def ordering(self, sentence: str | None) -> tuple[AskedPhrase, ...]:
        """List the phrases that order an answer: what must hold, and what the sentence denies."""
        denied = () if sentence is None else tuple(
            phrase for phrase in PhraseChecker.phrases(sentence) if phrase.negated)
        return _once((*self.must, *denied))

    def shown(self, sentence: str | None) -> tuple[AskedPhrase, ...]:
        """List the phrases that are marked on the hits."""
        if not self.mark and not self.must:
            return self.ordering(sentence)
        own = () if sentence is None else PhraseChecker.phrases(sentence)
        return _once((*self.must, *own))

    @staticmethod
    def denied_alone(sentence: str | None) -> tuple[AskedPhrase, ...]:
        """List what a sentence denies, if it says nothing else but whether a man or a woman.

        Example:
            >>> [str(phrase) for phrase in Wishes.denied_alone('a man without a hat or a bag')]
            ['no hat', 'no bag']
            >>> Wishes.denied_alone('a man in a red coat without a hat')
            ()
        """
        reading = read_sentence(sentence or '')
        return tuple(phrase for phrase in reading.phrases
                     if phrase.negated) if reading.only_denies else ()

    @staticmethod
    def affirmed(sentence: str) -> str:
        """Return what is encoded of a sentence: all but what it denies.

        Also what is denied and cannot be checked, since an encoder would look for it; an answer
        names it as unchecked.

        Raises:
            BadValue: It tells what somebody wears who is not meant.

        Example:
            >>> Wishes.affirmed('a man in a red coat without a hat'), Wishes.affirmed('no shoes')
            ('a man in a red coat', 'a person')
        """
        reading = read_sentence(sentence)
        if reading.doubt == NOT_MEANT:
            raise BadValue(f'{sentence!r} tells what somebody wears who is not meant: say who is')
        denies = any(phrase.negated for phrase in reading.phrases)
        return reading.affirmed or (ANYBODY if denies else sentence)


def order_by_marks(hits: Sequence[Hit], marks: Sequence[Sequence[PhraseMark]]) -> list[Hit]:
    """Order hits by the worst of their marks, then as they were.

    Those that lack what must be there, or have what must not, stand behind all others: nobody is
    lost, and in a gallery of more people than are asked for nobody of them is shown.

    Args:
        hits: Best first.
        marks: Of each hit.

    Example:
        >>> from mmtbps.search.galleries import GalleryEntry
        >>> hits = [Hit(GalleryEntry(name, f'{name}.jpg'), .5) for name in 'ab']
        >>> marks = [[PhraseMark('hat', 'no', -1.)], [PhraseMark('hat', 'yes', 2.)]]
        >>> [hit.entry.id for hit in order_by_marks(hits, marks)]
        ['b', 'a']
    """
    worst = [max((_PLACES[mark.mark] for mark in row), default=0) for row in marks]
    return [hits[i] for i in sorted(range(len(hits)), key=lambda i: worst[i])]


def _once(phrases: Sequence[AskedPhrase]) -> tuple[AskedPhrase, ...]:
    """Leave out what is asked twice in the same words."""
    return tuple({str(phrase).lower(): phrase for phrase in reversed(phrases)}.values())[::-1]
