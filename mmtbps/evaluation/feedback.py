"""Marks of right and wrong on what was found, and what they do to a query."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['LIKE', 'UNLIKE', 'Visit', 'move_query', 'simulate_visits']

#: Weights of the pictures marked right and wrong beside the query; docs/guides/phrases.md has the
#: table that they are chosen by.
LIKE, UNLIKE = .25, .25
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
        >>> move_query(query, right, np.empty((0, 3)), like=1).round(3).tolist()
        [0.707, 0.707, 0.0]
    """
    query, right, wrong = (np.asarray(part, np.float64) for part in (query, right, wrong))
    moved = query.copy()
    if len(right):
        moved += like * right.mean(0)
    if len(wrong):
        moved -= unlike * wrong.mean(0)
    length = np.linalg.norm(moved)
    if length < _NOTHING_LEFT:
        raise BadValue('nothing is left of the query beside these marks; take some of them back')
    return (moved / length).astype(np.float32)


class Visit(NamedTuple):
    """Ranks of a target before any mark, and after each round of marks.

    Args:
        ranks: From 1, of the target's best picture among those not yet marked.
        unmoved: The same with the marked ones out of the way and the query as it was.
    """

    ranks: tuple[int, ...]
    unmoved: tuple[int, ...]


def simulate_visits(queries: np.ndarray, images: np.ndarray, targets: np.ndarray,
                    likeness: Callable[[int], np.ndarray], rounds: int = 2, shown: int = 10,
                    like: float = LIKE, unlike: float = UNLIKE) -> list[Visit]:
    """Simulate visitors who mark what they are shown by its looks, and never the target itself.

    Each is shown the first pictures that are neither marked nor the target's, marks them right or
    wrong, and asks again. A visitor is lucky to meet the target sooner; here the target's pictures
    are kept from being shown, so that every round counts.

    Args:
        queries: ``(Q, D)`` unit features.
        images: ``(N, D)`` unit features.
        targets: ``(Q, N)`` bool, the pictures of each query's target.
        likeness: Of the number of a query: ``(N,)`` array with True for pictures that look right
            to its visitor.
        rounds: Of marks.
        shown: Pictures marked in a round.
        like: See `move_query`.
        unlike: See `move_query`.

    Returns:
        A visit a query.
    """
    visits = []
    for number, query in enumerate(np.asarray(queries, np.float32)):
        target, looks = np.asarray(targets[number], bool), np.asarray(likeness(number), bool)
        marked = np.zeros(len(images), bool)
        start = images @ query
        ranks, unmoved = [_rank(start, target, marked)], [_rank(start, target, marked)]
        asked = query
        for _ in range(rounds):
            scores = np.where(marked | target, -np.inf, images @ asked)
            first = np.argsort(-scores, kind='stable')[:shown]
            marked[first[np.isfinite(scores[first])]] = True
            asked = move_query(query, images[marked & looks], images[marked & ~looks], like,
                               unlike)
            ranks.append(_rank(images @ asked, target, marked))
            unmoved.append(_rank(start, target, marked))
        visits.append(Visit(tuple(ranks), tuple(unmoved)))
    return visits


def _rank(scores: np.ndarray, target: np.ndarray, marked: np.ndarray) -> int:
    best = scores[target].max()
    return 1 + int(((scores > best) & ~target & ~marked).sum())
