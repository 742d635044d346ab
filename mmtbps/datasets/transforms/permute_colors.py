"""Negatives of a caption whose colors are on other things, for heads that ask for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import permute_colors, replace_color
from mmtbps.registry import TRANSFORMS

from .caption_inputs import CaptionInputs
from .tokenize import TokenizeCaption


@TRANSFORMS.register_module()
class PermuteColors(CaptionInputs):
    """Transform that adds captions of the same words with the colors on other things.

    When and Why Vision-Language Models Behave like Bags-Of-Words, and What to Do About It?
    (NegCLIP), https://arxiv.org/abs/2210.01936, swaps words of equal kind at random; here only
    colors of what is worn or carried change places, see
    `mmtbps.lexicon.color_negatives.permute_colors`. Hair keeps its color, and a permutation that
    says the same is none.

    Stands after `TokenizeCaption` and takes the same caption;
    ``PackTextImage(input_keys=['negative_input_ids', 'negative_real'])`` takes the result to the
    model, for `TextNegativesHead`. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its negatives.

    **Required keys**: ``caption`` and ``input_ids``.

    **Added keys**: ``negative_input_ids``, a list of ``count`` 1-D tensors, and ``negative_real``,
    ``(count,)`` bool: False for a filler, where the caption has too few colors.

    Args:
        tokenize: The `TokenizeCaption` of the pipeline, or its settings.
        count: Negatives of each caption.
        replaced: How many of them have, in place of a permutation, one thing in a color that the
            caption does not name; above 0, so have those for which there are too few permutations.

    Raises:
        BadValue: ``count`` is below 1, or ``replaced`` is not from 0 to ``count``.
        MissingKey: An item is not tokenised, or has several captions.

    Example:
        >>> from mmtbps.datasets.transforms import CLIP_TOKENIZER
        >>> tokenize = TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip')
        >>> np.random.seed(0)
        >>> item = tokenize(dict(caption='A red coat, blue jeans.'))
        >>> item = PermuteColors(tokenize, count=2)(item)
        >>> item['negative_real'].tolist(), [len(ids) for ids in item['negative_input_ids']]
        ([True, False], [9, 9])
    """

    tokens = 'negative_input_ids'

    def __init__(self, tokenize: dict | TokenizeCaption, count: int = 1,
                 replaced: int = 0) -> None:
        super().__init__(tokenize, count)
        if not 0 <= replaced <= count:
            raise BadValue(f'replaced must be from 0 to count={count}, got {replaced}')
        self.replaced = replaced

    def make(self, caption: str, rng: np.random.Generator,
             image_captions: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        negatives = permute_colors(caption, rng, self.count - self.replaced)
        if self.replaced:
            negatives += replace_color(caption, rng, self.count - len(negatives))
        return negatives, dict(negative_real=np.arange(self.count) < len(negatives))

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(tokenize={self.tokenize}, count={self.count}, '
                f'replaced={self.replaced})')
