"""Contrast and its reverse against one blended target: the losses of SynTBPR."""

from torch import Tensor

from .gather import GatheredPairs
from .scores import mean_of_pairs, score_rows
from .soft_label import blend_targets

__all__ = ['blended_contrast']


def blended_contrast(image: Tensor, text: Tensor, person_ids: Tensor,
                     temperature: float | Tensor, share: float = 0.005, epsilon: float = 1e-8,
                     pair_weights: Tensor | None = None,
                     gathered: GatheredPairs | None = None) -> tuple[Tensor, Tensor]:
    r"""Compute N-ITC and R-ITC against the same blended target, normalised inside.

    An Empirical Study of Validating Synthetic Data for Text-Based Person Retrieval (SynTBPR),
    https://arxiv.org/abs/2503.22171: with predictions :math:`p` of a row and its target :math:`q`
    of :func:`~mmtbps.models.losses.blend_targets`, the cross entropy of :math:`p` with :math:`q`,
    and :math:`KL(p \| q + \epsilon)`, which is not normalised again; means over rows and over both
    directions.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        temperature: positive number or scalar tensor.
        share: of the resemblance in the target.
        epsilon: added to every target of R-ITC.
        pair_weights: ``(N,)`` factors of the terms of each pair; the mean is still over N.
        gathered: the joined batch of all processes; default the N pairs alone.

    Returns:
        ``()`` N-ITC and ``()`` R-ITC.

    Raises:
        ValueError: shapes differ, or an option is out of its range.

    Example:
        >>> import torch
        >>> x = torch.eye(2)
        >>> losses = blended_contrast(x, x, torch.arange(2), 1.0, share=0.0, epsilon=1e-2)
        >>> [round(loss.item(), 4) for loss in losses]
        [0.3133, 0.649]
    """
    if not 0 <= share <= 1 or epsilon <= 0:
        raise ValueError('share must lie in [0, 1] and epsilon be positive, got '
                         f'{share} and {epsilon}')
    rows, forward, reverse = score_rows(image, text, person_ids, gathered), 0, 0
    for scores in rows.directions:
        logits = scores / temperature
        targets, log_shares = blend_targets(logits, rows.targets, share), logits.log_softmax(1)
        forward = forward - (targets * log_shares).sum(1) / 2
        reverse = reverse + (logits.softmax(1) * (log_shares - (targets + epsilon).log())
                             ).sum(1) / 2
    return mean_of_pairs(forward, pair_weights), mean_of_pairs(reverse, pair_weights)
