"""How many gallery entries stand before a positive, without ranking the others."""

import numpy as np
import torch
from torch import Tensor

__all__ = ['entries_before']

_MANY = 100  # positives of one query from which on sorting its scores costs less than counting


def entries_before(scores: Tensor, wanted: Tensor, places: Tensor, present: Tensor) -> Tensor:
    """Count the entries that stand before each positive, among those of one part of a gallery.

    These are the entries with a better score, and those of equal score that come earlier in the
    gallery. So in front of the positive's place an equal score counts, behind it only a better
    one does: one comparison of each score. The counts of several parts add up.

    Args:
        scores: ``(Q, N)``, higher is better; ``-inf`` is out of the ranking.
        wanted: ``(Q, P)`` scores of the positives.
        places: ``(Q, P)`` int64 columns of the positives; below 0 for one in an earlier part of
            the gallery, N or more in a later one.
        present: ``(Q, P)`` bool; False marks slots that only fill the row.

    Returns:
        ``(Q, P)`` int64, 0 where not present.

    Example:
        >>> scores = torch.tensor([[.9, .3, .9, .5]])
        >>> wanted, places = torch.tensor([[.9, .9, .9]]), torch.tensor([[-1, 2, 4]])
        >>> entries_before(scores, wanted, places, torch.ones(1, 3, dtype=torch.bool))
        tensor([[0, 1, 2]])
    """
    if scores.device.type != 'cpu':
        return _before_on_device(scores, wanted, places).masked_fill_(~present, 0)
    before = torch.zeros_like(places)
    scores, wanted, places, present, counts = (
        tensor.numpy() for tensor in (scores, wanted, places, present, before))

    memory = np.empty(scores.shape[1], bool)
    for row in range(len(scores)):
        mask = present[row]
        if mask.sum() > _MANY:
            counts[row, mask] = _before_by_sorting(scores[row], wanted[row, mask],
                                                   places[row, mask])
        else:
            counts[row, mask] = _before_by_counting(scores[row], wanted[row, mask],
                                                    places[row, mask], memory)
    return before


def _before_on_device(scores: Tensor, wanted: Tensor, places: Tensor) -> Tensor:
    columns = torch.arange(scores.shape[1], device=scores.device)
    return torch.stack([
        ((scores > score) | ((scores == score) & (columns < place))).sum(1)
        for score, place in zip(wanted.T[..., None], places.T[..., None], strict=True)], dim=1)


def _before_by_counting(row: np.ndarray, wanted: np.ndarray, places: np.ndarray,
                        memory: np.ndarray) -> list[int]:
    # Comparing one row of plain numbers runs at the speed of the cache, in vector instructions;
    # two threads would take turns in Python itself.
    counts = []
    for score, place in zip(wanted, np.maximum(places, 0).tolist(), strict=True):
        np.greater_equal(row[:place], score, out=memory[:place])
        np.greater(row[place:], score, out=memory[place:])
        counts.append(np.count_nonzero(memory))
    return counts


def _before_by_sorting(row: np.ndarray, wanted: np.ndarray, places: np.ndarray) -> np.ndarray:
    ascending = np.sort(row)
    first, end = (ascending.searchsorted(wanted, side) for side in ('left', 'right'))
    before = len(row) - end
    itself = (places >= 0) & (places < len(row))
    for k in np.flatnonzero((end - first > itself) & (places > 0)):
        before[k] += np.count_nonzero(row[:places[k]] == wanted[k])
    return before
