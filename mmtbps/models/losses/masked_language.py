"""Prediction of masked words."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .gather import sum_with_grad
from .scores import full

__all__ = ['masked_language_loss']


def masked_language_loss(logits: Tensor, labels: Tensor,
                         word_weights: Tensor | None = None) -> Tensor:
    """Compute the cross entropy of masked words, a mean over those of all processes.

    BERT, https://arxiv.org/abs/1810.04805. Processes may bring different numbers of words. Nothing
    is normalised.

    Args:
        logits: ``(K, V)`` of the masked words of this process; half precision is computed in
            float32.
        labels: ``(K,)`` ids of the words that were there.
        word_weights: ``(K,)`` factor of each word; the mean is still over their number. ``None``
            for 1.

    Returns:
        ``()`` loss, whose mean over processes is that over all words; 0 if there is none.

    Example:
        >>> round(masked_language_loss(torch.tensor([[1., 0.]]), torch.tensor([0])).item(), 4)
        0.3133
    """
    logits = full(logits)
    one = torch.ones((), dtype=logits.dtype, device=logits.device)
    words, processes = sum_with_grad(one * len(labels)), sum_with_grad(one)
    if word_weights is None:
        total = F.cross_entropy(logits, labels, reduction='sum')
    else:
        total = (word_weights * F.cross_entropy(logits, labels, reduction='none')).sum()
    return total * processes / words.clamp(min=1)
