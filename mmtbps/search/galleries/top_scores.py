"""The highest of many scores."""

import numpy as np

__all__ = ['best']


def best(scores: np.ndarray, topk: int, among: np.ndarray | None = None) -> np.ndarray:
    """Find the indices of the ``topk`` highest of ``(N,)`` scores, in no order.

    Only the ``(M,)`` indices ``among`` count; all by default.

    Example:
        >>> sorted(best(np.array([0.1, 0.9, 0.5]), 2).tolist())
        [1, 2]
    """
    if among is None:
        among = np.arange(len(scores))
    if topk >= len(among):
        return among
    return among[np.argpartition(scores[among], -topk)[-topk:]]
