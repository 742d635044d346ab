"""Contrast against labels that are partly the model's own: N-ITC of TBPS-CLIP and SynTBPR."""

import torch
from torch import Tensor

from .gather import GatheredPairs
from .scores import mean_of_pairs, score_rows

__all__ = ['blend_targets', 'soft_label_contrastive_loss', 'soft_labels']


def soft_label_contrastive_loss(image: Tensor, text: Tensor, person_ids: Tensor,
                                temperature: float | Tensor,
                                soft: tuple[Tensor, Tensor] | None = None, share: float = 0.5,
                                gathered: GatheredPairs | None = None,
                                pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the contrastive loss against a mixture of true and own labels, normalised inside.

    An Empirical Study of CLIP for Text-Based Person Search (TBPS-CLIP),
    https://arxiv.org/abs/2308.10045, the *normalised* image-text contrast (N-ITC): the cross
    entropy of row i of the cosines divided by the temperature with
    :math:`a\,\hat p_i + (1 - a)\,q_i`, where :math:`q_i` is even over the pairs of the person; a
    mean over rows and over both directions.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        temperature: positive number or scalar tensor.
        soft: the model's own labels :math:`\hat p` of both directions, see :func:`soft_labels`;
            ``None`` for the true ones alone.
        share: weight :math:`a` of the own labels.
        gathered: the joined batch of all processes; default the N pairs alone.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss.

    Raises:
        ValueError: shapes differ, or ``share`` is outside [0, 1].

    Example:
        >>> x = torch.eye(2)
        >>> round(soft_label_contrastive_loss(x, x, torch.arange(2), 1.0).item(), 4)
        0.3133
    """
    if not 0 <= share <= 1:
        raise ValueError(f'share must lie in [0, 1], got {share}')
    rows = score_rows(image, text, person_ids, gathered)
    loss = 0
    for direction, scores in enumerate(rows.directions):
        targets = rows.targets
        if soft is not None:
            targets = share * soft[direction] + (1 - share) * targets
        each = (targets * (scores / temperature).log_softmax(1)).sum(1)
        loss = loss - mean_of_pairs(each, pair_weights) / 2
    return loss


@torch.no_grad()
def soft_labels(image: Tensor, text: Tensor, temperature: float | Tensor,
                gathered: GatheredPairs | None = None) -> tuple[Tensor, Tensor]:
    """Compute the model's own labels of a batch: what it predicts, without gradient.

    Args:
        image: ``(N, D)`` features, usually of a second forward pass.
        text: ``(N, D)``.
        temperature: positive number or scalar tensor.
        gathered: the joined batch of all processes; default the N pairs alone.

    Returns:
        ``(N, M)`` of images over captions and of captions over images; rows sum to 1.

    Example:
        >>> soft_labels(torch.eye(1), torch.eye(1), 1.0)
        (tensor([[1.]]), tensor([[1.]]))
    """
    rows = score_rows(image, text, gathered=gathered)
    return tuple((scores / temperature).softmax(1) for scores in rows.directions)


@torch.no_grad()
def blend_targets(logits: Tensor, targets: Tensor, share: float) -> Tensor:
    r"""Blend true targets with how much each candidate resembles the row, as SynTBPR does.

    An Empirical Study of Validating Synthetic Data for Text-Based Person Retrieval,
    https://arxiv.org/abs/2503.22171: :math:`a\,\sigma(z_{ij}) + (1 - a)\,q_{ij}`, divided by the
    sum of its row, without gradient. A label that is wrong, as of a generated pair, so weighs less
    where the features disagree. The published share is 0.005; as every candidate takes part, the
    share of all others together grows with their number.

    Args:
        logits: ``(N, M)`` cosines over the temperature.
        targets: ``(N, M)`` distributions :math:`q` over the candidates.
        share: weight :math:`a` of the resemblance.

    Returns:
        ``(N, M)``, rows sum to 1.

    Example:
        >>> blend_targets(torch.zeros(1, 2), torch.tensor([[1., 0.]]), 0.5).tolist()
        [[0.75, 0.25]]
    """
    blended = share * logits.sigmoid() + (1 - share) * targets
    return blended / blended.sum(1, keepdim=True)
