"""Triplet loss on the hardest negative of a batch."""

from torch import Tensor

from .gather import GatheredPairs
from .scores import mean_of_pairs, score_rows

__all__ = ['hardest_triplet_loss']


def hardest_triplet_loss(image: Tensor, text: Tensor, person_ids: Tensor, margin: float = 0.05,
                         gathered: GatheredPairs | None = None,
                         pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the hinge between a pair and its hardest negative, both ways, normalised inside.

    VSE++, https://arxiv.org/abs/1707.05612, as SEN trains with it: with cosines :math:`s`, a mean
    over rows of :math:`[\max_{j: y_j \ne y_i} s_{ij} - s_{ii} + m]_+`, the sum of both directions.
    A row without another person costs nothing.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``.
        margin: by how much a pair must lead, in cosine.
        gathered: the joined batch of all processes; default the N pairs alone.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> import torch
        >>> text = torch.tensor([[1., 0.], [0.8, 0.6]])
        >>> round(hardest_triplet_loss(torch.eye(2), text, torch.arange(2)).item(), 4)
        0.125
    """
    rows = score_rows(image, text, person_ids, gathered)
    loss = 0
    for scores in rows.directions:
        # Lower than any cosine less any margin; an infinity would have no gradient.
        hardest = scores.masked_fill(rows.same, -1e4).amax(1)
        own = scores.gather(1, rows.own[:, None])[:, 0]
        loss = loss + mean_of_pairs((hardest - own + margin).clamp(min=0), pair_weights)
    return loss
