"""Pool of actors of Ray Data, which are started again when they die.

Imported only where a cluster is asked for; Ray is an optional package.
"""

import contextlib
import logging
import os
import pickle
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from mmtbps.errors import BadValue, MissingPackage, first_line

from .actors import ActorNeeds, Node, plan_actors
from .lost_work import ClusterError, work_through

__all__ = ['RayPool', 'check_ray']

T, R = TypeVar('T'), TypeVar('R')
#: Times that a batch is tried, then each of its items alone. Ray's own default is for ever.
TRIES = 3
LOST = f'it ended its process {TRIES} times, alone'


def check_ray(address: str | None = None) -> None:
    """Make sure that a cluster can be asked for, before anything is loaded for it.

    Args:
        address: ``'host:port'`` of the head; None looks for a cluster that runs.

    Raises:
        MissingPackage: Ray is not installed.
        BadValue: The address is one of Ray's client, which has no Ray Data.
    """
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise MissingPackage('a cluster needs Ray: pip install "mmtbps[ray]"') from error
    if address is not None and '://' in address:
        raise BadValue(f'{address}: name the head of the cluster as HOST:PORT, such as '
                       '10.0.0.5:6379, on a machine that has joined it by ray start')


class RayPool:
    """Actors of a cluster, each of which holds what the work needs; to be used by ``with``.

    Args:
        address: ``'host:port'`` of the head; by default the cluster that runs on this machine, or
            one of this machine alone.
        needs: Of an actor.

    Raises:
        MissingPackage: Ray is not installed.
        ClusterError: There is no cluster at the address.
        BadValue: It has no room for the actors.
    """

    def __init__(self, address: str | None = None, needs: ActorNeeds | None = None) -> None:
        check_ray(address)
        self.address = address
        self.needs = needs or ActorNeeds()
        self.actors = 0

    def __enter__(self) -> 'RayPool':
        # Telemetry is for those who ask for it.
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        # A thread of Ray Data that outlives a stopped run would start another cluster.
        os.environ.setdefault('RAY_ENABLE_AUTO_CONNECT', '0')
        import ray
        # It shows a traceback for each batch that is given up, which is tried again here.
        logging.getLogger('ray.data').setLevel(logging.CRITICAL)
        try:
            with _own_handler(signal.SIGTERM):
                ray.init(self.address, logging_level=logging.ERROR, log_to_driver=False,
                         **({} if self.address else dict(include_dashboard=False)))
        except Exception as error:  # Ray raises all kinds, also the bare one
            raise ClusterError(f'no cluster of Ray answers at {self.address or "this machine"}: '
                               f'{first_line(error)}') from error
        try:
            self.actors = plan_actors([
                Node(node['Resources'].get('CPU', 0), node['Resources'].get('GPU', 0))
                for node in ray.nodes() if node['Alive']], self.needs)
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        import ray
        ray.shutdown()  # the actors end, and a cluster that was there before stays

    def run(self, make: Callable[[], Callable[[Sequence[T]], R]], batches: Sequence[Sequence[T]]
            ) -> Iterator[tuple[Sequence[T], R | None]]:
        """Work batches off, as `work_through` does; an item that kills its process has ``None``.

        Args:
            make: Called once in each actor; makes what works a batch off. To be pickled.
            batches: Of items that can be pickled, too. One may be worked off more than once, if
                its actor or its machine dies.

        Raises:
            ClusterError: No actor came through anything.
        """
        return work_through(batches, lambda some: self._attempt(make, some))

    def _attempt(self, make: Callable[[], Callable[[Sequence[T]], R]],
                 batches: Mapping[int, Sequence[T]]) -> Iterator[tuple[int, R]]:
        if not batches:
            return
        import ray
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # no limit: they are tried again, item by item
        rows = [dict(number=number, items=pickle.dumps(batch)) for number, batch in batches.items()]
        pool = ray.data.ActorPoolStrategy(size=min(self.actors, len(rows)),
                                          # Else those that wait lose a try by another's death.
                                          max_tasks_in_flight_per_actor=1)
        with warnings.catch_warnings():
            # Of max_restarts and max_task_retries, which have no other place yet.
            warnings.filterwarnings('ignore', '.ray_remote_args. is deprecated')
            done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
                _Actor, fn_constructor_args=(_Unshown(make, os.getcwd()), ), compute=pool,
                batch_size=1, num_cpus=self.needs.cpus, num_gpus=self.needs.gpus,
                max_restarts=-1, max_task_retries=TRIES - 1)
        try:
            for row in done.iter_rows():
                yield row['number'], _outcome(row['result'])
        except ray.exceptions.RayError as error:
            raise ClusterError(f'the cluster gave the work up: {first_line(error)}') from error


@contextlib.contextmanager
def _own_handler(number: signal.Signals) -> Iterator[None]:
    """Put the handler of a signal back, in whose place Ray sets one that ends without a word."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, before)


class _Unshown:
    """Maker of the work, and the folder that its paths are seen from; Ray's logs show neither."""

    def __init__(self, make: Callable[[], Any], folder: str) -> None:
        self.make = make
        self.folder = folder

    def __repr__(self) -> str:
        return 'work'


class _WorkerTraceback(Exception):
    """Traceback of another process, as a text."""


class _Actor:
    """Holder of what works a batch off; made at the first batch, so that its errors come back."""

    def __init__(self, unshown: _Unshown) -> None:
        self.make = unshown.make
        with contextlib.suppress(FileNotFoundError):  # a machine may lack what no path names
            os.chdir(unshown.folder)
        self.work: Callable[[Sequence[Any]], Any] | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list]:
        try:
            if self.work is None:
                self.work = self.make()
            outcome = pickle.dumps((self.work(pickle.loads(batch['items'][0])), None, ''))
        except Exception as error:
            outcome = _pickled_error(error, traceback.format_exc())
        return dict(number=[int(batch['number'][0])], result=[outcome])


def _pickled_error(error: Exception, trace: str) -> bytes:
    try:
        pickle.loads(data := pickle.dumps((None, error, trace)))
    except Exception:
        return pickle.dumps((None, RuntimeError(f'{type(error).__name__}: {error}'), trace))
    return data


def _outcome(data: bytes) -> Any:
    """Return the result of a batch, or raise the error that it ended with."""
    result, error, trace = pickle.loads(data)
    if error is not None:
        raise error from _WorkerTraceback(trace)
    return result
