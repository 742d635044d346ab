"""Measures of a ranking from the ranks of each query's positives, and their random baseline.

Every measure takes ``ranks`` ``(Q, P)``: float64, ascending in each row, 1 is the best place,
and ``inf`` fills the rows of queries that have fewer than P positives.
"""

from collections import Counter
from collections.abc import Sequence
from math import comb

import torch
from torch import Tensor

from mmtbps.errors import BadValue

__all__ = ['average_precision', 'inverse_negative_penalty', 'random_ranks', 'recall_at',
           'trapezoid_average_precision']


def recall_at(ranks: Tensor, k: int) -> Tensor:
    """Compute ``(Q,)``: 1 where the first positive is among the best k, else 0.

    Example:
        >>> recall_at(torch.tensor([[2., 5.], [6., 7.]]).double(), k=5).tolist()
        [1.0, 0.0]
    """
    return (ranks[:, 0] <= k).double()


def average_precision(ranks: Tensor) -> Tensor:
    r"""Compute ``(Q,)``: mean precision at each positive, :math:`\frac1P \sum_i i / r_i`.

    Example:
        >>> average_precision(torch.tensor([[1., 4.]]).double()).tolist()
        [0.75]
    """
    return _precision(ranks).sum(1) / _count(ranks)


def trapezoid_average_precision(ranks: Tensor) -> Tensor:
    r"""Compute ``(Q,)``: area below the precision-recall curve by the trapezoid rule.

    The AP of CTLG, SSAN, LGUR and many re-identification codes. At each positive the mean of the
    old and the new precision counts, :math:`\frac1P \sum_i (o_i + i / r_i) / 2`. The old
    precision is that of the place just before the positive, :math:`o_i = (i - 1) / (r_i - 1)`;
    it starts at 1: :math:`o_1 = 1` if the best place is a positive. Before a first positive
    further down it is 0. Never above :func:`average_precision`.

    Example:
        >>> trapezoid_average_precision(torch.tensor([[2., 4.]]).double()).tolist()
        [0.3333333333333333]
    """
    hits = _hits(ranks)
    before = torch.where(ranks == 1, 1.0, (hits - 1) / (ranks - 1))
    return (before + _precision(ranks)).sum(1) / (2 * _count(ranks))


def inverse_negative_penalty(ranks: Tensor) -> Tensor:
    """Compute ``(Q,)``: number of positives over the rank of the last one; its mean is mINP.

    Deep Learning for Person Re-identification: A Survey and Outlook,
    https://arxiv.org/abs/2001.04193, section 4.1.

    Example:
        >>> inverse_negative_penalty(torch.tensor([[1., 4.]]).double()).tolist()
        [0.5]
    """
    last = ranks.masked_fill(ranks.isinf(), 0).amax(1)
    return _count(ranks) / last


def random_ranks(query_ids: Sequence[int], gallery_ids: Sequence[int],
                 topk: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Compute the expected Rank-k of a random order of the gallery, in percent.

    It is the random baseline beside every Rank-k. A query with p positives among N images has one
    of them among the first k with probability 1 - C(N - p, k) / C(N, k). Queries without a
    positive are left out, as in :func:`~mmtbps.evaluation.evaluate_ranking`.

    Args:
        query_ids: Person of each query.
        gallery_ids: Person of each gallery item.
        topk: Values of k.

    Returns:
        ``R1 R5 R10`` (for the default ``topk``).

    Raises:
        BadValue: No query has a positive.

    Example:
        >>> random_ranks([0, 1], [0, 1, 2, 3], topk=(1, 2))
        {'R1': 25.0, 'R2': 50.0}
    """
    count, size = Counter(gallery_ids), len(gallery_ids)
    positives = Counter(count[person] for person in query_ids if count[person])
    if not positives:
        raise BadValue('no query has a positive in the gallery')
    total = sum(positives.values())
    return {f'R{k}': 100 * sum(
        number * (1 - comb(size - p, min(k, size)) / comb(size, min(k, size)))
        for p, number in positives.items()) / total for k in topk}


def _hits(ranks: Tensor) -> Tensor:
    return torch.arange(1, ranks.shape[1] + 1, dtype=ranks.dtype)


def _precision(ranks: Tensor) -> Tensor:
    return _hits(ranks) / ranks  # 0 where there is no positive, for its rank is inf


def _count(ranks: Tensor) -> Tensor:
    return ranks.isfinite().sum(1)
