"""Easy data augmentation of captions: synonyms, insertions, swaps and deletions of words."""

import re

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import synonyms
from mmtbps.registry import TRANSFORMS

from .caption_change import CaptionChange
from .delete_words import delete_words

_WORD = re.compile(r'[^\W_]+')


def easy_augment(caption: str, rate: float, rng: np.random.Generator) -> str:
    """Change a caption by one of four operations, picked at random.

    EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks,
    https://arxiv.org/abs/1901.11196: of n words ``rate`` x n, one at least, are replaced by a
    synonym, have a synonym of theirs inserted anywhere, or change places with another; or each is
    deleted with probability ``rate``. The paper's synonyms are WordNet's; here they are those of
    `mmtbps.lexicon`, which knows what people wear. Words are letters and digits, in lower case; no
    punctuation is left. Nothing is protected: a swap may give a coat another color.

    Args:
        caption: Any text; one of a single word, or of none, comes back as it is.
        rate: Share of words.
        rng: Source of every random choice.

    Returns:
        The new caption; its words as they were where a synonym is asked for and none has one.

    Example:
        >>> easy_augment('A man in a red coat.', 0.1, np.random.default_rng(1))
        'a man in a red gentleman coat'
    """
    words = _WORD.findall(caption.lower())
    if len(words) < 2:
        return caption
    operation = int(rng.integers(4))
    if operation == 3:
        return delete_words(' '.join(words), rate, rng)
    count = max(1, int(rate * len(words)))
    return ' '.join((_replace, _insert, _swap)[operation](words, count, rng))


def _replace(words: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Replace some different words, wherever they stand, by a synonym each."""
    known = [word for word in dict.fromkeys(words) if synonyms(word)]
    new = {known[i]: _synonym(known[i], rng) for i in rng.permutation(len(known))[:count]}
    return [new.get(word, word) for word in words]


def _insert(words: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Insert synonyms of some words, each anywhere."""
    known, words = [word for word in words if synonyms(word)], list(words)
    for _ in range(count if known else 0):
        word = _synonym(known[int(rng.integers(len(known)))], rng)
        words.insert(int(rng.integers(len(words) + 1)), word)
    return words


def _swap(words: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Let two words change places, some times."""
    words = list(words)
    for _ in range(count):
        one, other = rng.choice(len(words), 2, replace=False)
        words[one], words[other] = words[other], words[one]
    return words


def _synonym(word: str, rng: np.random.Generator) -> str:
    others = synonyms(word)
    return others[int(rng.integers(len(others)))]


@TRANSFORMS.register_module()
class EasyDataAugmentation(CaptionChange):
    """Transform that changes the caption of a training item with `easy_augment` (EDA).

    APTM, https://arxiv.org/abs/2306.02898, reads such captions beside the original ones, see
    `CaptionView`. `ApproximateTextGeneration` changes captions without changing what they say.

    Stands before `TokenizeCaption`. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its words.

    **Required keys**: ``caption`` (str). An item with ``captions`` instead, one for testing, passes
    through unchanged and takes no random number.

    **Modified keys**: ``caption``.

    Args:
        prob: Probability that the caption is changed at all.
        rate: Share of its words.

    Raises:
        BadValue: If an argument is outside [0, 1], or the item is tokenised already.

    Example:
        >>> np.random.seed(0)
        >>> EasyDataAugmentation()(dict(caption='A man in a red coat.'))['caption']
        'a gentleman in a red coat'
    """

    def __init__(self, prob: float = 1.0, rate: float = 0.1) -> None:
        if not 0 <= prob <= 1 or not 0 <= rate <= 1:
            raise BadValue(f'prob and rate must lie in [0, 1], got {prob} and {rate}')
        self.prob, self.rate = prob, rate

    def change(self, caption: str, rng: np.random.Generator) -> str:
        return easy_augment(caption, self.rate, rng) if rng.random() < self.prob else caption

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, rate={self.rate})'
