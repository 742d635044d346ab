"""Work that kills its process: found by giving up a batch, then trying its items one by one."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from mmtbps.errors import UserError

__all__ = ['Attempt', 'ClusterError', 'lost_items', 'work_through']

T, R = TypeVar('T', bound=Hashable), TypeVar('R')
#: Works batches off in any order and yields the number and the result of each; those that have
#: killed their process too often are left out.
Attempt = Callable[[Mapping[int, Sequence[T]]], Iterable[tuple[int, R]]]


class ClusterError(UserError, RuntimeError):
    """A cluster that does no work."""


def work_through(batches: Iterable[Sequence[T]], attempt: Attempt
                 ) -> Iterator[tuple[Sequence[T], R | None]]:
    """Work batches off; what is left out is tried again, each item alone.

    Args:
        batches: Of items.
        attempt: Works some off.

    Yields:
        A batch and its result, in any order; at the end each item that was left out even alone,
        with ``None``.

    Raises:
        ClusterError: Nothing came of anything, which no single item can be blamed for.

    Example:
        >>> def attempt(batches):
        ...     return [(i, sum(batch)) for i, batch in batches.items() if 13 not in batch]
        >>> list(work_through([[1, 2], [3, 13]], attempt))
        [([1, 2], 3), ([3], 3), ([13], None)]
    """
    left = dict(enumerate(batches))
    any_came = False
    alone: list[Sequence[T]] = []
    for number, result in attempt(left):
        any_came = True
        yield left.pop(number), result
    for batch in left.values():
        alone += [[item] for item in batch]
    singles = dict(enumerate(alone))
    for number, result in attempt(singles) if singles else ():
        any_came = True
        yield singles.pop(number), result
    if len(singles) > 1 and not any_came:
        raise ClusterError(f'every process of the cluster died at its work, also at one item alone '
                           f'({len(singles)} items): is there enough memory for the model? '
                           "Ray's logs tell more")
    yield from ((batch, None) for batch in singles.values())


def lost_items(results: Iterable[tuple[Sequence[T], R | None]], lose: Callable[[T], object]
               ) -> Iterator[tuple[Sequence[T], R]]:
    """Yield the results there are, and hand each item without one to ``lose``.

    Example:
        >>> lost = []
        >>> list(lost_items([([1, 2], 3), ([13], None)], lost.append)), lost
        ([([1, 2], 3)], [13])
    """
    for batch, result in results:
        if result is None:
            for item in batch:
                lose(item)
        else:
            yield batch, result
