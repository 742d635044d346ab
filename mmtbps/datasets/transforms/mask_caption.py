"""Masking of words of a tokenised caption."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS

from .tokenize import load_tokenizer

#: Words of CLIP's vocabulary, and the place of the last one, which IRRA and its kin use as mask.
CLIP_WORDS, CLIP_MASK = (1, 49405), 49405


def words_and_mask(tokenizer: str | None) -> tuple[np.ndarray, int]:
    """Return the ids of all words of a vocabulary, ascending, and that of its mask token.

    Args:
        tokenizer: see `load_tokenizer`; its special tokens are no words. ``None`` for CLIP's.

    Raises:
        BadValue: the tokenizer has no mask token.

    Example:
        >>> words, mask = words_and_mask(None)
        >>> words[[0, -1]].tolist(), mask
        ([1, 49404], 49405)
    """
    if tokenizer is None:
        return np.arange(*CLIP_WORDS), CLIP_MASK
    loaded = load_tokenizer(tokenizer)
    if loaded.mask_token_id is None:
        raise BadValue(f'{tokenizer}: this tokenizer has no mask token; leave tokenizer out for a '
                       'vocabulary of CLIP')
    return np.setdiff1d(np.arange(len(loaded)), loaded.all_special_ids), loaded.mask_token_id


def draw_fates(ids: np.ndarray, words: np.ndarray, prob: float, rng: np.random.Generator
               ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Choose words of a caption, and draw what may happen to each.

    Args:
        ids: ``(L,)`` tokens of the caption.
        words: ids that are words.
        prob: probability of each word to be chosen.
        rng: three draws are taken from it.

    Returns:
        ``(L,)`` each: whether it is a word, whether it is chosen, a number of 0-1, a random word.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> draw_fates(np.array([9, 1, 2]), np.array([1, 2]), 1.0, rng)[1].tolist()
        [False, True, True]
    """
    is_word = np.isin(ids, words)
    chosen = is_word & (rng.random(len(ids)) < prob)
    return is_word, chosen, rng.random(len(ids)), rng.choice(words, len(ids))


@TRANSFORMS.register_module()
class MaskCaption(BaseTransform):
    """Transform that hides some words of a caption, for a head that predicts them (``MLMHead``).

    BERT, https://arxiv.org/abs/1810.04805, as in Cross-Modal Implicit Relation Reasoning and
    Aligning (IRRA), https://arxiv.org/abs/2303.12501: each word is chosen with probability
    ``prob``, at least one. Of the chosen 80 % become the mask token, 10 % a random word, 10 % stay.
    Where chance chooses none, the first word is masked.

    Stands after `TokenizeCaption`; ``PackTextImage(input_keys=['mlm_input_ids', 'mlm_labels'])``
    takes the result to the model. Each call takes exactly one number from the global numpy
    generator and derives all else from it, so that the seed of an item fixes its masks.

    **Required keys**: ``input_ids``, a list of 1-D tensors.

    **Added keys**: ``mlm_input_ids``, likewise, and ``mlm_labels``: the ids of chosen words,
    ``ignored`` elsewhere.

    **Modified keys**: ``input_ids``, with ``in_place`` only.

    Args:
        tokenizer: see `load_tokenizer`; its mask token is taken, and all but its special tokens
            are words. ``None`` for CLIP's vocabulary: words are 1 to 49404 ("!", which is 0, is
            also the filler), and 49405 is the mask.
        prob: probability of each word.
        ignored: label of words that are not chosen; the head must have the same.
        in_place: hide the words in ``input_ids`` too, so that every loss reads the masked caption.
            IRRA's released code does so; its paper masks a copy for this head.

    Raises:
        BadValue: ``prob`` is outside [0, 1], or the tokenizer has no mask token.
        MissingKey: an item is not tokenised.

    Example:
        >>> np.random.seed(0)
        >>> item = MaskCaption(prob=0.5)(dict(input_ids=[torch.tensor([49406, 320, 786, 49407])]))
        >>> item['mlm_input_ids'][0].tolist(), item['mlm_labels'][0].tolist()
        ([49406, 320, 49405, 49407], [0, 0, 786, 0])
    """

    def __init__(self, tokenizer: str | None = None, prob: float = 0.15, ignored: int = 0,
                 in_place: bool = False) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        self.tokenizer, self.prob, self.ignored = tokenizer, prob, ignored
        self.in_place = in_place
        self._words: np.ndarray | None = None
        self._mask = CLIP_MASK

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'input_ids' not in results:
            raise MissingKey(f"{results.get('img_path', 'item')}: key 'input_ids' is missing; put "
                             'TokenizeCaption before MaskCaption in the pipeline')
        if self._words is None:
            self._words, self._mask = words_and_mask(self.tokenizer)
        rng = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64))
        masked = [self._hide(ids.numpy(), rng) for ids in results['input_ids']]
        results['mlm_input_ids'] = [torch.from_numpy(ids) for ids, _ in masked]
        results['mlm_labels'] = [torch.from_numpy(labels) for _, labels in masked]
        if self.in_place:
            results['input_ids'] = list(results['mlm_input_ids'])
        return results

    def _hide(self, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Choose words of one caption and hide them; return new ids and labels."""
        is_word, chosen, fate, random_words = draw_fates(ids, self._words, self.prob, rng)
        if not chosen.any() and is_word.any():
            first = is_word.argmax()
            chosen[first], fate[first] = True, 0
        hidden = np.where(chosen & (fate < 0.8), self._mask, ids)
        hidden = np.where(chosen & (fate >= 0.8) & (fate < 0.9), random_words, hidden)
        return hidden, np.where(chosen, ids, self.ignored)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(tokenizer={self.tokenizer!r}, prob={self.prob}, '
                f'ignored={self.ignored}, in_place={self.in_place})')
