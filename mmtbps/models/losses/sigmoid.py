"""Sigmoid loss: every couple of image and caption is a question of its own."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .gather import GatheredPairs
from .info_nce import SAME_PERSON_CHOICES
from .scores import mean_of_pairs, score_rows

__all__ = ['sigmoid_loss']


def sigmoid_loss(image: Tensor, text: Tensor, scale: float | Tensor, bias: float | Tensor,
                 person_ids: Tensor | None = None, same_person: str = 'negative',
                 gathered: GatheredPairs | None = None,
                 pair_weights: Tensor | None = None) -> Tensor:
    r"""Compute the sigmoid loss of SigLIP, normalised inside.

    Sigmoid Loss for Language Image Pre-Training, https://arxiv.org/abs/2303.15343, algorithm 1:
    with cosines :math:`s` and :math:`z_{ij} = 1` for pairs, -1 for all other couples,

    .. math:: L = -\frac1N \sum_{i,j} \log\sigma\big(z_{ij} (t\,s_{ij} + b)\big)

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        scale: :math:`t`, positive number or scalar tensor.
        bias: :math:`b`.
        person_ids: ``(N,)``; needed unless ``same_person='negative'``.
        same_person: what other pairs of the same person are: ``'negative'`` as in the paper,
            ``'masked'`` (neither) or ``'positive'``.
        gathered: the joined batch of all processes; default the N pairs alone.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a sum over candidates and a mean over rows.

    Raises:
        ValueError: shapes differ, ``same_person`` is unknown, or person ids are missing.

    Example:
        >>> round(sigmoid_loss(torch.eye(2), torch.eye(2), scale=2.0, bias=-1.0).item(), 4)
        0.6265
    """
    if same_person not in SAME_PERSON_CHOICES:
        raise ValueError(f'same_person must be one of {SAME_PERSON_CHOICES}, got {same_person!r}')
    if same_person != 'negative' and person_ids is None:
        raise ValueError(f'same_person={same_person!r} needs person_ids')
    rows = score_rows(image, text, person_ids, gathered)
    pair = F.one_hot(rows.own, rows.same.shape[1]).bool()
    sign = torch.where(rows.same if same_person == 'positive' else pair, 1, -1)
    losses = -F.logsigmoid(sign * (scale * rows.image_to_text + bias))
    if same_person == 'masked':
        losses = losses.masked_fill(rows.same & ~pair, 0)
    return mean_of_pairs(losses.sum(1), pair_weights)
