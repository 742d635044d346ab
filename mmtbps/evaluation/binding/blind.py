"""A scorer that sees no picture: it tells how far captions alone give a benchmark away."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import why_no_file
from mmtbps.lexicon import split_words

__all__ = ['NGramScorer', 'read_captions']

_BEFORE = '\n'


class NGramScorer:
    """Scorer of sentences by how often their words followed each other in training captions.

    Large Language Models in Machine Translation (stupid backoff), D07-1090 of the ACL Anthology: a
    sequence that never came counts as the next shorter one, times 0.4.

    Args:
        captions: Of the training.
        order: Words of the longest sequence.

    Raises:
        BadValue: There is no caption, or the order is below 1.

    Example:
        >>> scorer = NGramScorer(['a red coat', 'a red hat', 'a blue hat'])
        >>> common, rare = scorer.score(['a red hat', 'a blue coat'])
        >>> bool(common > rare)
        True
    """

    backoff = .4

    def __init__(self, captions: Iterable[str], order: int = 3) -> None:
        if order < 1:
            raise BadValue(f'order must be at least 1, got {order}')
        self.order = order
        self.counts, self.contexts = Counter(), Counter()
        for caption in captions:
            words = self._words(caption)
            for end in range(order, len(words) + 1):
                spans = [words[end - size:end] for size in range(1, order + 1)]
                self.counts.update(spans)
                self.contexts.update(span[:-1] for span in spans)
        self.total = self.contexts[()]
        self.vocabulary = sum(len(words) == 1 for words in self.counts)
        if not self.total:
            raise BadValue('no caption to count words of')

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Compute the logarithm of the score of each of N texts, ``(N,)`` float64."""
        return np.array([sum(self._follow(words[max(0, end - self.order):end])
                             for end in range(self.order, len(words) + 1))
                         for words in map(self._words, texts)])

    def _words(self, text: str) -> tuple[str, ...]:
        return (_BEFORE,) * (self.order - 1) + tuple(word.key for word in split_words(text))

    def _follow(self, words: tuple[str, ...]) -> float:
        """Compute the logarithm of the score of the last of some words after the others."""
        penalty = 0.
        while len(words) > 1:
            if count := self.counts[words]:
                return penalty + math.log(count / self.contexts[words[:-1]])
            penalty, words = penalty + math.log(self.backoff), words[1:]
        return penalty + math.log((self.counts[words] + 1) / (self.total + self.vocabulary + 1))


def read_captions(path: str | Path) -> list[str]:
    """Read training captions.

    Args:
        path: Annotations in the layout of CUHK-PEDES, of which the train split counts, or a text
            with a caption a line.

    Raises:
        MissingFile: There is no such file.
        BadValue: It holds no caption.
    """
    path = Path(path)
    if (why := why_no_file(path)) is not None:
        raise MissingFile(f'{path}: {why}')
    text = path.read_text(encoding='utf-8')
    if path.suffix.lower() == '.json':
        try:
            captions = [caption for entry in json.loads(text) if entry.get('split') == 'train'
                        for caption in entry['captions']]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadValue(f'{path}: no list of annotations with split and captions '
                           f'({error!r})') from error
    else:
        captions = [line.strip() for line in text.splitlines() if line.strip()]
    if not captions:
        raise BadValue(f'{path}: no caption of a train split in it')
    return captions
