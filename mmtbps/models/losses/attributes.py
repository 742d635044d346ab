"""Attributes as labels, of which a caption tells some."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import full, mean_of_pairs

__all__ = ['attribute_loss']


def attribute_loss(logits: Tensor, true: Tensor, false: Tensor,
                   pair_weights: Tensor | None = None) -> Tensor:
    r"""Classify by attributes that are known, each a question of its own.

    .. math:: L = -\frac1N \sum_i \Big(\sum_{a \in T_i} \log \sigma(z_{ia})
              + \sum_{a \in F_i} \log (1 - \sigma(z_{ia}))\Big)

    with the logits :math:`z` of attributes that are true, :math:`T_i`, and false, :math:`F_i`: the
    log-likelihood of all that is known. Of what is neither nothing is learnt, as in Learning a Deep
    ConvNet for Multi-label Classification with Partial Labels, https://arxiv.org/abs/1902.09720;
    here rows are not scaled by how much is known of them.

    Args:
        logits: ``(N, A)``. Half precision is computed in float32.
        true: ``(N, A)`` bool.
        false: ``(N, A)`` bool, nowhere where ``true`` is.
        pair_weights: ``(N,)`` factors of the rows; the mean is still over N.

    Returns:
        ``()`` loss, a sum over attributes and a mean over rows.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> true = torch.tensor([[True, False, False]])
        >>> false = torch.tensor([[False, True, False]])
        >>> round(attribute_loss(torch.tensor([[2., -2., 9.]]), true, false).item(), 4)
        0.2539
    """
    if true.shape != logits.shape or false.shape != logits.shape:
        raise ValueError(f'true and false must be {tuple(logits.shape)} as the logits, got '
                         f'{tuple(true.shape)} and {tuple(false.shape)}')
    with torch.autocast(logits.device.type, enabled=False):
        logits = full(logits)
        losses = F.softplus(torch.where(true, -logits, logits)) * (true | false)
        return mean_of_pairs(losses.sum(1), pair_weights)
