"""Masking of words that an image does not show."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import unit

__all__ = ['mask_words', 'noise_probabilities']


@torch.no_grad()
def noise_probabilities(words: Tensor, image: Tensor, is_word: Tensor, mean: float = 0.15
                        ) -> Tensor:
    """Compute the probability of each word to be masked: high where no image token is alike.

    Harnessing the Power of MLLMs for Transferable Text-to-Image Person ReID (NAM), CVPR 2024,
    https://arxiv.org/abs/2405.04940: the noise of a word is 1 - its largest cosine with a token of
    the image; noise - its mean over the words of the caption + ``mean``, clamped to [0, 1].

    Args:
        words: ``(N, L, D)`` tokens of captions, any scale. Half precision is computed in float32.
        image: ``(N, P, D)`` tokens of their images.
        is_word: ``(N, L)`` bool, True where a token is a word.
        mean: probability of a word of average noise.

    Returns:
        ``(N, L)``, 0 where there is no word; without gradient.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> words, image = torch.eye(2)[None], torch.tensor([[[1., 0.]]])
        >>> noise_probabilities(words, image, torch.ones(1, 2).bool())
        tensor([[0.0000, 0.6500]])
    """
    if words.ndim != 3 or words.shape[::2] != image.shape[::2] or is_word.shape != words.shape[:2]:
        raise ValueError('words, image and is_word must be (N, L, D), (N, P, D) and (N, L), got '
                         f'{tuple(words.shape)}, {tuple(image.shape)} and {tuple(is_word.shape)}')
    with torch.autocast(words.device.type, enabled=False):
        noise = 1 - (unit(words) @ unit(image).mT).amax(2)
    average = (noise * is_word).sum(1, keepdim=True) / is_word.sum(1, keepdim=True).clamp(min=1)
    return (noise - average + mean).clamp(0, 1) * is_word


@torch.no_grad()
def mask_words(input_ids: Tensor, probabilities: Tensor, is_word: Tensor, mask_id: int,
               words: tuple[int, int]) -> Tensor:
    """Mask words with probabilities of their own, one of each caption at least.

    BERT, https://arxiv.org/abs/1810.04805: of the chosen words 80 % become the mask token, 10 % a
    random word, 10 % stay. Where chance chooses none, the most probable word is masked.

    Args:
        input_ids: ``(N, L)`` tokens.
        probabilities: ``(N, L)``.
        is_word: ``(N, L)`` bool, True where a token is a word.
        mask_id: the mask token.
        words: first id of a random word, and the id after the last.

    Returns:
        ``(N, L)`` tokens.

    Example:
        >>> ids, sure = torch.tensor([[9, 3, 4]]), torch.tensor([[0., 0., 1e-9]])
        >>> _ = torch.manual_seed(1)
        >>> mask_words(ids, sure, ids < 9, mask_id=8, words=(1, 8)).tolist()
        [[9, 3, 8]]
    """
    draws = torch.rand(3, *input_ids.shape, device=input_ids.device)
    chosen = is_word & (draws[0] < probabilities)
    likeliest = probabilities.masked_fill(~is_word, -1).argmax(1)
    alone = F.one_hot(likeliest, input_ids.shape[1]).bool() & is_word & ~chosen.any(1, keepdim=True)
    fate = draws[1].masked_fill(alone, 0)
    chosen = chosen | alone
    random_words = words[0] + (draws[2] * (words[1] - words[0])).long().clamp(
        max=words[1] - words[0] - 1)
    masked = input_ids.masked_fill(chosen & (fate < 0.8), mask_id)
    return torch.where(chosen & (fate >= 0.8) & (fate < 0.9), random_words, masked)
