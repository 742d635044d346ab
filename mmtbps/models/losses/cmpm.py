"""Cross-modal projection matching."""

from torch import Tensor

from .gather import GatheredPairs
from .scores import mean_of_pairs, score_rows

__all__ = ['cmpm_loss']


def cmpm_loss(image: Tensor, text: Tensor, person_ids: Tensor,
              gathered: GatheredPairs | None = None, epsilon: float = 1e-8,
              pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the divergence of projections from true matches, both directions.

    Deep Cross-Modal Projection Learning for Image-Text Matching, ECCV 2018, equation 4: the loss of
    :func:`sdm_loss` without a temperature, on projections :math:`x_i^\top \bar z_j` of features
    as they are onto normalised ones. Only the candidates are normalised inside. The true matches of
    a row are divided by their Euclidean length, not by their sum, as in the published code.

    Args:
        image: ``(N, D)``; the scale counts. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        gathered: the joined batch of all processes; default the N pairs alone.
        epsilon: keeps the logarithm of 0 away.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the rows, the sum of both directions.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> import torch
        >>> x = torch.eye(2)
        >>> round(cmpm_loss(x, x, torch.arange(2)).item(), 4)
        8.7438
    """
    rows = score_rows(image, text, person_ids, gathered, normalize_rows=False)
    same = rows.same.to(rows.image_to_text.dtype)
    log_targets = (same / same.sum(1, keepdim=True).sqrt() + epsilon).log()
    loss = 0
    for projections in rows.directions:
        divergence = projections.softmax(1) * (projections.log_softmax(1) - log_targets)
        loss = loss + mean_of_pairs(divergence.sum(1), pair_weights)
    return loss
