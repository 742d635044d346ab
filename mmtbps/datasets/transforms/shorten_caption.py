"""Captions of every length, out of long ones."""

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon.short_captions import shorten
from mmtbps.registry import TRANSFORMS

from .caption_change import CaptionChange


@TRANSFORMS.register_module()
class ShortenCaption(CaptionChange):
    """Transform that names some of the things of a caption in place of its sentences.

    People search by two words, and data sets describe by twenty. With probability ``prob`` the
    caption of a training item becomes a list of one thing up to all that it names, each number as
    likely, see `mmtbps.lexicon.short_captions.shorten`; one that names nothing stays as it is.

    Stands before `TokenizeCaption`. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its words.

    **Required keys**: ``caption`` (str). An item with ``captions`` instead, one for testing, passes
    through unchanged and takes no random number.

    **Modified keys**: ``caption``.

    Args:
        prob: Probability of each caption.

    Raises:
        BadValue: If ``prob`` is outside [0, 1], or the item is tokenised already.

    Example:
        >>> np.random.seed(1)
        >>> ShortenCaption(prob=1.)(dict(caption='A man is wearing a red coat.'))['caption']
        'A man, a red coat.'
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        self.prob = prob

    def change(self, caption: str, rng: np.random.Generator) -> str:
        return (shorten(caption, rng) or caption) if rng.random() < self.prob else caption

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'
