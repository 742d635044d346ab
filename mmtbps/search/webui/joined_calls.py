"""Calls of several threads, joined: while one batch is worked on, the next one gathers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isgeneratorfunction
from threading import Lock
from typing import Any, Generic, TypeVar

__all__ = ['JoinedCalls', 'holding']

Item = TypeVar('Item')
Result = TypeVar('Result')


class JoinedCalls(Generic[Item, Result]):
    """Function of a list, called by many threads with an item each.

    The thread whose turn it is works on all items that wait and have the same further arguments; no
    thread waits for items that may come. Where a batch fails, its items are worked on one by one,
    so that an error reaches the thread of its item alone.

    Args:
        work: Called with a list of items and the further arguments; gives a result for each item.
        turn: Lock that is held while it works.
        most: Items of a batch.

    Example:
        >>> doubled = JoinedCalls(lambda items: [2 * item for item in items], Lock())
        >>> doubled(21)
        42
    """

    def __init__(self, work: Callable[..., Sequence[Result]], turn: AbstractContextManager,
                 most: int = 16) -> None:
        self._work, self._turn, self._most = work, turn, most
        self._waiting: list[_Call] = []
        self._guard = Lock()

    def __call__(self, item: Item, *same: Any) -> Result:
        """Work on an item, maybe together with those of other threads.

        Args:
            item: Of this thread.
            *same: Further arguments; only calls in which they are equal are joined.

        Raises:
            Exception: That the work raised for this item.
        """
        mine = _Call(item, same)
        with self._guard:
            self._waiting.append(mine)
        with self._turn:
            if not mine.is_done:  # by the thread that had its turn before
                self._finish(self._gather(mine))
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _gather(self, mine: '_Call') -> list['_Call']:
        with self._guard:
            others = [call for call in self._waiting if call is not mine and call.same == mine.same]
            batch = [mine, *others[:self._most - 1]]
            taken = {*map(id, batch)}
            self._waiting = [call for call in self._waiting if id(call) not in taken]
        return batch

    def _finish(self, batch: list['_Call']) -> None:
        try:
            results = self._work([call.item for call in batch], *batch[0].same)
        except Exception as error:  # of any kind: it is raised again where it belongs
            if len(batch) > 1:
                for call in batch:
                    self._finish([call])
                return
            batch[0].error = error
        else:
            for call, result in zip(batch, results, strict=True):
                call.result = result
        for call in batch:
            call.is_done = True


class _Call:
    def __init__(self, item: Any, same: tuple) -> None:
        self.item, self.same, self.is_done = item, same, False
        self.result: Any = None
        self.error: Exception | None = None


def holding(lock: AbstractContextManager, function: Callable) -> Callable:
    """Make a function hold a lock while it works; one that yields, between its values.

    Args:
        lock: May be held by the same thread already, if it is an ``RLock``.
        function: With any arguments.

    Example:
        >>> holding(Lock(), len)('three')
        5
    """
    @wraps(function)
    def called(*args: Any, **keywords: Any) -> Any:
        with lock:
            return function(*args, **keywords)

    @wraps(function)
    def stepped(*args: Any, **keywords: Any) -> Iterator[Any]:
        steps, end = function(*args, **keywords), object()
        while True:
            with lock:  # each step may have another thread
                value = next(steps, end)
            if value is end:
                return
            yield value

    return stepped if isgeneratorfunction(function) else called
