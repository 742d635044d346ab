"""Random deletion of words of a caption."""


import numpy as np

from mmtbps.errors import BadValue
from mmtbps.registry import TRANSFORMS

from .caption_change import CaptionChange


def delete_words(caption: str, prob: float, rng: np.random.Generator) -> str:
    """Delete each word of a caption with a probability of its own; one word at least stays.

    EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks,
    https://arxiv.org/abs/1901.11196, "random deletion". Words are parted by white space; where
    chance deletes all, a random one is kept.

    Args:
        caption: Any text; one of a single word, or of none, comes back as it is.
        prob: Probability of each word to be deleted.
        rng: Source of every random choice.

    Returns:
        The words that stay, parted by single spaces.

    Example:
        >>> delete_words('a man in a red coat', 0.5, np.random.default_rng(0))
        'a red coat'
    """
    words = caption.split()
    if len(words) < 2:
        return caption
    kept = np.flatnonzero(rng.random(len(words)) >= prob)
    if not len(kept):
        kept = rng.integers(len(words), size=1)
    return ' '.join(words[i] for i in kept)


@TRANSFORMS.register_module()
class DeleteWords(CaptionChange):
    """Transform that leaves out some words of the caption of a training item (`delete_words`).

    As An Empirical Study of CLIP for Text-based Person Search (TBPS-CLIP),
    https://arxiv.org/abs/2308.10045, trains. No word is protected and none made to agree, see
    `ApproximateTextGeneration` for that.

    Stands before `TokenizeCaption`. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its words.

    **Required keys**: ``caption`` (str). An item with ``captions`` instead, one for testing, passes
    through unchanged and takes no random number.

    **Modified keys**: ``caption``.

    Args:
        prob: Probability of each word to be deleted.

    Raises:
        BadValue: If ``prob`` is outside [0, 1], or the item is tokenised already.

    Example:
        >>> np.random.seed(0)
        >>> DeleteWords(prob=0.3)(dict(caption='A man in a red coat.'))['caption']
        'A man in red coat.'
    """

    def __init__(self, prob: float = 0.05) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        self.prob = prob

    def change(self, caption: str, rng: np.random.Generator) -> str:
        return delete_words(caption, self.prob, rng)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'
