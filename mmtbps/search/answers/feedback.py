"""Queries moved: by marks of right and wrong on what was found, and away from what is denied."""

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['LIKE', 'UNLIKE', 'move_away', 'move_query']

#: Weights of the pictures marked right and wrong beside the query; docs/guides/phrases.md has the
#: table that they are chosen by.
LIKE, UNLIKE = .25, .25
#: A shorter sum of unit features has no direction that means something.
_NOTHING_LEFT = 1e-4


def move_query(query: np.ndarray, right: np.ndarray, wrong: np.ndarray, like: float = LIKE,
               unlike: float = UNLIKE) -> np.ndarray:
    """Move a query towards pictures marked right, and away from those marked wrong.

    ``query + like * mean(right) - unlike * mean(wrong)``, brought to length 1: Rocchio's feedback
    (The SMART Retrieval System, 1971).

    Args:
        query: ``(D,)`` unit feature.
        right: ``(R, D)`` unit features; R may be 0.
        wrong: ``(W, D)`` unit features; W may be 0.
        like: Weight of what is right.
        unlike: Weight of what is wrong.

    Raises:
        BadValue: Nothing is left of the query.

    Example:
        >>> query, right = np.float64([1, 0, 0]), np.float64([[0, 1, 0]])
        >>> move_query(query, right, np.empty((0, 3)), like=1).astype(float).round(3).tolist()
        [0.707, 0.707, 0.0]
    """
    query, right, wrong = (np.asarray(part, np.float64) for part in (query, right, wrong))
    moved = query.copy()
    if len(right):
        moved += like * right.mean(0)
    if len(wrong):
        moved -= unlike * wrong.mean(0)
    return _to_length_1(moved, 'these marks; take some of them back')


def move_away(query: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    """Move a query away from things: take what they say beyond their opposites out of it.

    Args:
        query: ``(D,)`` unit feature.
        contrasts: ``(K, D)``, at least one; of several the sum is no longer than one of them is on
            average, so that something is left of the query.

    Raises:
        BadValue: Nothing is left of the query.

    Example:
        >>> move_away(np.float64([1, 0]), np.float64([[0, 1]])).round(3).tolist()
        [0.7070000171661377, -0.7070000171661377]
    """
    contrasts = np.asarray(contrasts, np.float64)
    joined = contrasts.sum(0)
    longest, length = np.linalg.norm(contrasts, axis=1).mean(), np.linalg.norm(joined)
    if length > longest:
        joined *= longest / length
    return _to_length_1(np.asarray(query, np.float64) - joined, 'what it denies')


def _to_length_1(query: np.ndarray, beside: str) -> np.ndarray:
    length = np.linalg.norm(query)
    if length < _NOTHING_LEFT:
        raise BadValue(f'nothing is left of the query beside {beside}')
    return (query / length).astype(np.float32)
