"""Work ahead of its use: results of threads in order, and items in groups."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import inf
from typing import TypeVar

__all__ = ['computed_ahead', 'groups_of']

T, R = TypeVar('T'), TypeVar('R')
#: Items ahead of each thread; more would hold too many large photographs.
_AHEAD = 4


def computed_ahead(function: Callable[..., R], items: Iterable[tuple],
                   workers: int) -> Iterator[R]:
    """Yield results in order, computed by threads a few items ahead of their use.

    Args:
        function: Called in the threads.
        items: Its arguments, taken in the thread that asks for the results.
        workers: Threads.

    Example:
        >>> list(computed_ahead(divmod, [(7, 2), (9, 4)], 2))
        [(3, 1), (2, 1)]
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, *item))
                if len(waiting) > _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def groups_of(items: Iterable[T], count: int, weight: Callable[[T], float] | None = None,
              most: float = inf) -> Iterator[list[T]]:
    """Yield items in lists, the last of which may be shorter.

    Args:
        items: In order.
        count: Of the items of a list, at most.
        weight: Of an item.
        most: A list of such a weight is full, too.

    Example:
        >>> list(groups_of([1, 1, 9, 1], 3, float, 9)), list(groups_of('abc', 2))
        ([[1, 1, 9], [1]], [['a', 'b'], ['c']])
    """
    items = iter(items)
    while some := list(islice(items, 1)):
        total = 0 if weight is None else weight(some[0])
        while total < most and len(some) < count and (more := list(islice(items, 1))):
            some += more
            total += 0 if weight is None else weight(more[0])
        yield some
