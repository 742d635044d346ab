"""Contrast of two augmentations of the same images: SimCLR."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .scores import mean_of_pairs, unit

__all__ = ['simclr_loss']


def simclr_loss(first: Tensor, second: Tensor, temperature: float = 0.1,
                all_first: Tensor | None = None, all_second: Tensor | None = None,
                first_row: int = 0, pair_weights: Tensor | None = None) -> Tensor:
    """Compute the contrastive loss between two views of each image, normalised inside.

    A Simple Framework for Contrastive Learning of Visual Representations,
    https://arxiv.org/abs/2002.05709, NT-Xent: a view must find its other view among the other
    views and all views of its own kind but itself. No person is looked at: two images of one person
    are each other's negatives.

    Args:
        first: ``(N, D)`` of the first views, any scale. Half precision is computed in float32.
        second: ``(N, D)`` of the second views, row i of the same image.
        temperature: positive number.
        all_first: ``(M, D)`` first views of all processes; default ``first``.
        all_second: ``(M, D)``; default ``second``.
        first_row: index of local row 0 among those of all processes.
        pair_weights: ``(N,)`` factor of each row; the mean is still over N. ``None`` for 1.

    Returns:
        ``()`` loss, a mean over the rows and both kinds.

    Raises:
        ValueError: shapes differ, or the temperature is not positive.

    Example:
        >>> round(simclr_loss(torch.eye(2), torch.eye(2), temperature=1.0).item(), 4)
        0.5514
    """
    if first.ndim != 2 or first.shape != second.shape or temperature <= 0:
        raise ValueError('first and second must be (N, D) views and temperature positive, got '
                         f'{tuple(first.shape)}, {tuple(second.shape)} and {temperature}')
    own = torch.arange(first_row, first_row + len(first), device=first.device)
    all_first = first if all_first is None else all_first
    all_second = second if all_second is None else all_second
    loss = 0
    for rows, others, kin in ((first, all_second, all_first), (second, all_first, all_second)):
        with torch.autocast(first.device.type, enabled=False):
            rows = unit(rows)
            across, within = rows @ unit(others).T, rows @ unit(kin).T
        within = within.scatter(1, own[:, None], float('-inf'))
        each = F.cross_entropy(torch.cat([across, within], 1) / temperature, own,
                               reduction='mean' if pair_weights is None else 'none')
        loss = loss + (each if pair_weights is None else mean_of_pairs(each, pair_weights)) / 2
    return loss
