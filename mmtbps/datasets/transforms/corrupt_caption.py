"""Random loss of words of a tokenised caption."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS

from .mask_caption import draw_fates, words_and_mask

__all__ = ['CorruptCaption']

_MASKED, _REPLACED = 0.6, 0.2  # of the chosen words; the others are left out


@TRANSFORMS.register_module()
class CorruptCaption(BaseTransform):
    """Transform that masks, replaces or leaves out some words of a caption while training.

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, as its released code does: each word is chosen with
    probability ``prob``; of the chosen 60 % become the mask token, 20 % a random word, and 20 % are
    left out, the rest closing up. A caption keeps one word at least.

    Stands after `TokenizeCaption`. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its words.

    **Required keys**: ``input_ids``, a list of 1-D tensors.

    **Modified keys**: ``input_ids``.

    Args:
        prob: probability of each word.
        tokenizer: see `mmtbps.datasets.transforms.mask_caption.words_and_mask`.

    Raises:
        BadValue: ``prob`` is outside [0, 1], or the tokenizer has no mask token.
        MissingKey: an item is not tokenised.

    Example:
        >>> np.random.seed(1)
        >>> item = dict(input_ids=[torch.tensor([49406, 320, 786, 530, 736, 49407])])
        >>> CorruptCaption(prob=0.0)(item)['input_ids'][0].tolist()
        [49406, 320, 786, 530, 736, 49407]
    """

    def __init__(self, prob: float = 0.2, tokenizer: str | None = None) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        self.prob, self.tokenizer = prob, tokenizer
        self._vocabulary: tuple[np.ndarray, int] | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'input_ids' not in results:
            raise MissingKey(f"{results.get('img_path', 'item')}: key 'input_ids' is missing; put "
                             'TokenizeCaption before CorruptCaption in the pipeline')
        if self._vocabulary is None:
            self._vocabulary = words_and_mask(self.tokenizer)
        rng = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64))
        results['input_ids'] = [self._corrupt(ids, rng) for ids in results['input_ids']]
        return results

    def _corrupt(self, input_ids: Tensor, rng: np.random.Generator) -> Tensor:
        words, mask = self._vocabulary
        ids = input_ids.numpy()
        is_word, chosen, fate, random_words = draw_fates(ids, words, self.prob, rng)
        new = np.where(chosen & (fate < _MASKED), mask, ids)
        new = np.where(chosen & (fate >= _MASKED) & (fate < _MASKED + _REPLACED), random_words, new)
        kept = ~(chosen & (fate >= _MASKED + _REPLACED))
        if is_word.any() and not (kept & is_word).any():
            kept[is_word.argmax()] = True
        return torch.from_numpy(new[kept])

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, tokenizer={self.tokenizer!r})'
