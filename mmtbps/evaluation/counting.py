"""How many gallery entries stand before a positive, without ranking the others."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

__all__ = ['entries_before']

_MANY = 100  # positives of one query from which on sorting its scores costs less than counting
_MOST_THREADS = 2  # half of the time is spent in Python itself, where one waits for the other


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

    def count_rows(rows: range) -> None:
        for row in rows:
            mask = present[row]
            count = _before_by_sorting if mask.sum() > _MANY else _before_by_counting
            counts[row, mask] = count(scores[row], wanted[row, mask], places[row, mask])

    threads = min(torch.get_num_threads(), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count_rows, (range(first, len(scores), threads)
                                   for first in range(threads))))
    return before


def _before_on_device(scores: Tensor, wanted: Tensor, places: Tensor) -> Tensor:
    columns = torch.arange(scores.shape[1], device=scores.device)
    return torch.stack([
        ((scores > score) | ((scores == score) & (columns < place))).sum(1)
        for score, place in zip(wanted.T[..., None], places.T[..., None], strict=True)], dim=1)


def _before_by_counting(row: np.ndarray, wanted: np.ndarray, places: np.ndarray) -> list[int]:
    # Comparing one row of plain numbers runs at the speed of the cache, in vector instructions.
    return [np.count_nonzero(row[:place] >= score) + np.count_nonzero(row[place:] > score)
            for score, place in zip(wanted, np.maximum(places, 0).tolist(), strict=True)]


def _before_by_sorting(row: np.ndarray, wanted: np.ndarray, places: np.ndarray) -> np.ndarray:
    ascending = np.sort(row)
    first, end = (ascending.searchsorted(wanted, side) for side in ('left', 'right'))
    before = len(row) - end
    itself = (places >= 0) & (places < len(row))
    for k in np.flatnonzero((end - first > itself) & (places > 0)):
        before[k] += np.count_nonzero(row[:places[k]] == wanted[k])
    return before
