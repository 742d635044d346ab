"""What a random ranking scores: the yardstick beside every Rank-k."""

from collections import Counter
from collections.abc import Sequence
from math import comb

__all__ = ['chance_ranks']


def chance_ranks(query_ids: Sequence[int], gallery_ids: Sequence[int],
                 topk: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Expected Rank-k of a random order, in percent.

    A query with p positives among N images has one of them among the first k with probability
    1 - C(N - p, k) / C(N, k). Queries without a positive are left out, as in
    :func:`~mmtbps.evaluation.evaluate_ranking`.

    Args:
        query_ids: person of each query.
        gallery_ids: person of each gallery item.
        topk: values of k.

    Returns:
        ``R1 R5 R10`` (for the default ``topk``).

    Raises:
        ValueError: no query has a positive.

    Example:
        >>> chance_ranks([0, 1], [0, 1, 2, 3], topk=(1, 2))
        {'R1': 25.0, 'R2': 50.0}
    """
    count, size = Counter(gallery_ids), len(gallery_ids)
    positives = Counter(count[person] for person in query_ids if count[person])
    if not positives:
        raise ValueError('no query has a positive in the gallery')
    total = sum(positives.values())
    return {f'R{k}': 100 * sum(
        number * (1 - comb(size - p, min(k, size)) / comb(size, min(k, size)))
        for p, number in positives.items()) / total for k in topk}
