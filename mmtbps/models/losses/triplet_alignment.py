"""Triplet alignment, the loss of RDE."""

import torch
from torch import Tensor

from .gather import GatheredPairs
from .scores import score_rows

__all__ = ['REDUCTIONS', 'reduce_rows', 'triplet_alignment_loss']

REDUCTIONS = ('none', 'sum', 'mean')


def triplet_alignment_loss(image: Tensor, text: Tensor, person_ids: Tensor,
                           temperature: float = 0.015, margin: float = 0.1,
                           reduction: str = 'none',
                           gathered: GatheredPairs | None = None) -> Tensor:
    r"""Compute the triplet alignment loss (TAL) of each pair, normalised inside.

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification (RDE),
    https://arxiv.org/abs/2308.09911, equation 9: with cosines :math:`s` and temperature
    :math:`\tau`, for each pair i and direction

    .. math:: l_i = \Big[ m - \sum_{j: y_j = y_i} \alpha_{ij} s_{ij}
              + \tau \log \sum_{j: y_j \ne y_i} e^{s_{ij} / \tau} \Big]_+

    where :math:`\alpha` is the softmax of :math:`s / \tau` over the pairs of the person, without
    gradient. A pair has the sum of both directions. A row without another person costs nothing.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        temperature: positive number. Published code stops the sum of exponentials at 1e36, which
            only temperatures below 0.0121 reach; here it goes on.
        margin: by how much a pair must lead, in cosine.
        reduction: ``'none'``, ``'sum'`` (as RDE trains) or ``'mean'`` over the pairs.
        gathered: the joined batch of all processes; default the N pairs alone.

    Returns:
        ``(N,)`` losses, or ``()``; not negative.

    Raises:
        ValueError: shapes differ, an option is out of its range.

    Example:
        >>> text = torch.tensor([[1., 0.], [0.8, 0.6]])
        >>> [round(loss, 4) for loss in
        ...  triplet_alignment_loss(torch.eye(2), text, torch.arange(2)).tolist()]
        [0.0, 0.3]
    """
    if temperature <= 0 or reduction not in REDUCTIONS:
        raise ValueError(f'temperature must be positive and reduction one of {REDUCTIONS}, got '
                         f'{temperature} and {reduction!r}')
    rows = score_rows(image, text, person_ids, gathered)
    # No infinity: a row of nothing else would have no gradient but NaN.
    least = torch.finfo(rows.image_to_text.dtype).min / 2
    losses = 0
    for scores in rows.directions:
        logits = scores / temperature
        alpha = logits.detach().masked_fill(~rows.same, float('-inf')).softmax(1)
        negatives = logits.masked_fill(rows.same, least).logsumexp(1)
        losses = losses + (margin - (alpha * scores).sum(1)
                           + temperature * negatives).clamp(min=0)
    return reduce_rows(losses, reduction)


def reduce_rows(values: Tensor, reduction: str) -> Tensor:
    """Return ``(N,)`` values as they are, their sum or their mean."""
    return values if reduction == 'none' else getattr(values, reduction)()
