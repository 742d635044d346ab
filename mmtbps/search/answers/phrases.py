"""Phrases of a query, checked one by one on the people who were found."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mmtbps.lexicon import AskedPhrase, opposites_of, read_sentence, word_phrase

from ..encoders.base import Encoder
from .feedback import move_away
from .margins import (
    LABEL_FREE,
    LABEL_FREE_THING,
    Bounds,
    Margins,
    mark_margins,
    phrase_margins,
)

__all__ = ['CHECKED', 'PhraseChecker', 'PhraseMark', 'TextCache', 'bounds_keys']

#: So many hits are looked at where phrases order the answer, if no more are asked for.
CHECKED = 200
_CACHED = 4096
#: What a text is put into before it is encoded; the mean of both is its feature.
_TEMPLATES = ('{}', 'A person wearing {}.')
_BODY_TEMPLATES = ('{}', 'A person with {}.')
_CONTRARY = dict(yes='no', no='yes', unsure='unsure')


class PhraseMark(NamedTuple):
    """Mark of one phrase on one picture.

    Args:
        phrase: In words; with "no" before it if the query denies it.
        mark: ``'yes'`` if what the query asks is so, ``'no'`` or ``'unsure'``.
        margin: The side of `phrase_margins`: 0 midway between the average opposite of the phrase
            and the best of them. Of a denied phrase, too, it is that of the phrase itself.
    """

    phrase: str
    mark: str
    margin: float

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return dict(phrase=self.phrase, mark=self.mark, margin=round(self.margin, 4))


class TextCache:
    """Features of texts that were encoded before, the least used ones forgotten.

    Args:
        encoder: Of the texts; a cache belongs to one.
        size: At most so many.

    Attributes:
        encoded: How many texts were handed to the encoder.
    """

    def __init__(self, encoder: Encoder, size: int = _CACHED) -> None:
        self.encoder, self.size, self.encoded = encoder, size, 0
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts into ``(N, dim)`` unit features; those that are known are not encoded."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        found = {text: self._kept[text] for text in texts if text in self._kept}
        if new:
            found.update(zip(new, self.encoder.encode_texts(new), strict=True))
            self.encoded += len(new)
        for text in dict.fromkeys(texts):
            self._kept[text] = found[text]
            self._kept.move_to_end(text)
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)
        return np.stack([found[text] for text in texts])


def bounds_keys(phrase: AskedPhrase) -> tuple[str, ...]:
    """Return the names that bounds of a phrase are kept under, the closest first.

    Of colors on clothes one pair of bounds tells as much as one for each garment. What is worn or
    carried beside is of many sizes, and seen as differently; its colors are those of small things.

    Example:
        >>> [bounds_keys(phrase) for phrase in read_sentence('red coat, backpack, red hat').phrases]
        [('clothing',), ('accessory: backpack', 'accessory'), ('accessory color',)]
    """
    if phrase.kind != 'accessory':
        return (phrase.kind,)
    if phrase.color or phrase.pattern:
        return ('accessory color',)
    return f'accessory: {phrase.name}', 'accessory'


@dataclass
class PhraseChecker:
    """Checker of phrases with one model.

    Args:
        encoder: Of the gallery's features.
        bounds: By the keys of `bounds_keys`; a phrase of which no key is there has those that need
            no label, `LABEL_FREE`; of what one can do without `LABEL_FREE_THING`.

    Example::

        checker = PhraseChecker(encoder)
        checker.marks(checker.phrases('a woman in a red coat without a hat'), features)
    """

    encoder: Encoder
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._texts = TextCache(self.encoder)

    @staticmethod
    def phrases(sentence: str) -> tuple[AskedPhrase, ...]:
        """List the phrases of a sentence that have opposites to be checked against."""
        return tuple(phrase for phrase in read_sentence(sentence).phrases if opposites_of(phrase))

    @staticmethod
    def unchecked(sentence: str) -> tuple[str, ...]:
        """List the words of a sentence that no phrase checks, in order."""
        reading = read_sentence(sentence)
        found = {start: sentence[start:end] for start, end in reading.unread}
        found.update((phrase.start, f'{"no " if phrase.negated else ""}'
                      f'{sentence[phrase.start:phrase.end]}')
                     for phrase in reading.phrases if not opposites_of(phrase))
        return tuple(found[start] for start in sorted(found))

    def vectors(self, phrase: AskedPhrase) -> np.ndarray:
        """Encode a phrase and its opposites into ``(1 + K, dim)`` unit features, itself first."""
        texts = [phrase.text, *opposites_of(phrase)]
        forms = _TEMPLATES if phrase.kind in ('clothing', 'accessory') else _BODY_TEMPLATES
        worded = [word_phrase(text) for text in texts]
        if phrase.kind == 'gender':
            forms = ('{}',)
        encoded = self._texts([form.format(text) for text in worded for form in forms])
        vectors = encoded.reshape(len(texts), len(forms), -1).mean(1)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def contrast(self, phrase: AskedPhrase) -> np.ndarray:
        """Return what a phrase says more than its opposites do on average, ``(dim,)``."""
        vectors = self.vectors(phrase)
        return vectors[0] - vectors[1:].mean(0)

    def without(self, query: np.ndarray, denied: Sequence[AskedPhrase]) -> np.ndarray:
        """Move a ``(dim,)`` query away from what phrases say, see `move_away`.

        Not if there are none, or one of them has no opposites or is of a hat or bag of one color:
        its opposites are such things in other colors, and away from it lie those who have one.
        """
        if not denied or not all(opposites_of(phrase) and not (
                phrase.kind == 'accessory' and (phrase.color or phrase.pattern))
                for phrase in denied):
            return query
        return move_away(query, np.stack([self.contrast(phrase) for phrase in denied]))

    def margins(self, phrase: AskedPhrase, features: np.ndarray) -> Margins:
        """Compute the margins of pictures, see `phrase_margins`.

        Args:
            phrase: One of `phrases`.
            features: ``(N, dim)`` unit features of pictures.
        """
        vectors = self.vectors(phrase)
        return phrase_margins(features, vectors[0], vectors[1:])

    def marks(self, phrases: Sequence[AskedPhrase],
              features: np.ndarray) -> list[tuple[PhraseMark, ...]]:
        """Mark each of the phrases on each picture.

        Args:
            phrases: Of `phrases`.
            features: ``(N, dim)`` unit features of pictures.

        Returns:
            For each picture the marks of all phrases, in their order.
        """
        columns = []
        for phrase in phrases:
            margins = self.margins(phrase, features)
            marks = mark_margins(margins, self.bounds_of(phrase))
            columns.append([PhraseMark(str(phrase), _CONTRARY[mark] if phrase.negated else mark,
                                       float(side))
                            for mark, side in zip(marks, margins.sides, strict=True)])
        return list(zip(*columns, strict=True)) if columns else [() for _ in features]

    def bounds_of(self, phrase: AskedPhrase) -> Bounds:
        """Return the bounds of a phrase: of its thing if there are such, else of its kind."""
        found = (self.bounds[key] for key in bounds_keys(phrase) if key in self.bounds)
        thing = phrase.kind in ('accessory', 'beard') and not phrase.color and not phrase.pattern
        return next(found, LABEL_FREE_THING if thing else LABEL_FREE)

    def describe_bounds(self, phrases: Sequence[AskedPhrase]) -> str:
        """Word where the bounds of phrases come from; empty without phrases."""
        return ', '.join(dict.fromkeys(self.bounds_of(phrase).source for phrase in phrases))
