"""Attributes as labels, of which a caption tells some, and sentences that ask for them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import full, mean_of_pairs, unit

__all__ = ['asked_rows_loss', 'attribute_loss', 'rarity_weights']

#: Most that a true attribute weighs.
_MOST = 6.0


def attribute_loss(logits: Tensor, true: Tensor, false: Tensor,
                   pair_weights: Tensor | None = None,
                   weights: Tensor | None = None) -> Tensor:
    r"""Classify by attributes that are known, each a question of its own.

    .. math:: L = -\frac1N \sum_i \Big(\sum_{a \in T_i} w_{ia} \log \sigma(z_{ia})
              + \sum_{a \in F_i} w_{ia} \log (1 - \sigma(z_{ia}))\Big)

    with the logits :math:`z` of attributes that are true, :math:`T_i`, and false, :math:`F_i`: the
    log-likelihood of all that is known. Of what is neither nothing is learnt, as in Learning a Deep
    ConvNet for Multi-label Classification with Partial Labels, https://arxiv.org/abs/1902.09720;
    here rows are not scaled by how much is known of them.

    Args:
        logits: ``(N, A)``. Half precision is computed in float32.
        true: ``(N, A)`` bool.
        false: ``(N, A)`` bool, nowhere where ``true`` is.
        pair_weights: ``(N,)`` factors of the rows; the mean is still over N.
        weights: ``(A,)`` or ``(N, A)`` factors :math:`w` of attributes; 1 by default.

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
        if weights is not None:
            losses = losses * weights
        return mean_of_pairs(losses.sum(1), pair_weights)


def rarity_weights(true: Tensor, false: Tensor, power: float) -> Tensor:
    r"""Weigh attributes by how much seldomer they are true than false.

    .. math:: w_a = \min\Big(6, \max\Big(1, \Big(\frac{1 + f_a}{1 + t_a}\Big)^p\Big)\Big)

    with the numbers of images of which attribute a is known to be true, :math:`t`, and false,
    :math:`f`. One person in ten has a backpack: who always answers no is mostly right, and learns
    slowly what one looks like. Pedestrian attributes are weighed by their rarity since DeepMAR,
    https://doi.org/10.1109/ACPR.2015.7486476; Rethinking of Pedestrian Attribute Recognition,
    https://arxiv.org/abs/2107.03576, compares functions for it.

    Args:
        true: ``(A,)`` numbers of images.
        false: ``(A,)`` numbers of images.
        power: :math:`p`; 0 for weights of 1.

    Returns:
        ``(A,)`` weights from 1 to 6.

    Example:
        >>> rarity_weights(torch.tensor([3., 0., 9.]), torch.tensor([15., 63., 2.]), 0.5)
        tensor([2., 6., 1.])
    """
    return ((1 + false) / (1 + true)).pow(power).clamp(1.0, _MOST)


def asked_rows_loss(text: Tensor, rows: Tensor, asked: Tensor,
                    pair_weights: Tensor | None = None) -> Tensor:
    r"""Turn sentences to the classifier of what they ask for.

    .. math:: L = \frac1M \sum_j \Big(1 - \cos\big(t_j, \sum_{a \in A_j} w_a\big)\Big)

    with the rows :math:`w` of a linear classifier of images, which are not moved, and the
    attributes :math:`A_j` that sentence j asks for: text predicts a classifier, as in Write a
    Classifier, https://arxiv.org/abs/1601.00025.

    Args:
        text: ``(M, D)`` sentences, any scale. Half precision is computed in float32.
        rows: ``(A, D)``.
        asked: ``(M, A)`` bool.
        pair_weights: ``(M,)`` factors of the sentences; the mean is still over M.

    Returns:
        ``()`` loss; 0 for a sentence that asks for nothing.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> asked_rows_loss(torch.tensor([[2., 0.]]), torch.eye(2),
        ...                 torch.tensor([[True, True]])).item().__round__(4)
        0.2929
    """
    if asked.shape != (len(text), len(rows)):
        raise ValueError(f'asked must be ({len(text)}, {len(rows)}), got {tuple(asked.shape)}')
    with torch.autocast(text.device.type, enabled=False):
        goal = unit(asked.to(full(rows).dtype) @ full(rows.detach()))
        losses = (1 - (unit(text) * goal).sum(1)) * asked.any(1)
        return mean_of_pairs(losses, pair_weights)
