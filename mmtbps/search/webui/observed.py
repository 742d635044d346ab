"""Search on behalf of visitors, each question of which is told to observers."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from PIL import Image

from ..results import SearchHit, SearchResult
from .service import Refused, SearchService

__all__ = ['AnsweredQuery', 'ObservedService', 'QueryObserver', 'log_query']

_LOG = logging.getLogger('mmtbps.page')


class AnsweredQuery(NamedTuple):
    """Facts on a question that was answered or not; no word of it.

    Args:
        kind: ``'sentence'``, ``'picture'``, ``'similar'`` or ``'explain'``.
        outcome: ``'answered'``, ``'refused'`` for input that cannot be, or ``'failed'``.
        seconds: Between question and answer, without the time that it waited for others.
    """

    kind: str
    outcome: str
    seconds: float


QueryObserver = Callable[[AnsweredQuery], None]


def log_query(query: AnsweredQuery) -> None:
    """Write a question to the log of the page, at level INFO, as facts without its words.

    Args:
        query: That was answered or not.
    """
    _LOG.info('query', extra=dict(facts=query._asdict()))


@dataclass
class ObservedService(SearchService):
    """Search service whose observers are told of each question.

    Args:
        inferencer: As of `SearchService`.
        images: As of `SearchService`.
        observers: Called in the thread of the question; an observer is quick and does not raise.
    """

    observers: Sequence[QueryObserver] = field(default=(), repr=False)

    def ask(self, text: str, count: int = 20, where: Mapping[str, Any] | None = None,
            **wishes: Any) -> SearchResult:
        with self._observed('sentence'):
            return super().ask(text, count, where, **wishes)

    def search_picture(self, picture: str, text: str = '', count: int = 20,
                       where: Mapping[str, Any] | None = None, image_weight: float = .5,
                       **wishes: Any) -> Sequence[SearchHit]:
        with self._observed('picture'):
            return super().search_picture(picture, text, count, where, image_weight, **wishes)

    def similar(self, entry_id: str, count: int = 20,
                where: Mapping[str, Any] | None = None) -> Sequence[SearchHit]:
        with self._observed('similar'):
            return super().similar(entry_id, count, where)

    def explain(self, text: str, entry_id: str) -> Image.Image:
        with self._observed('explain'):
            return super().explain(text, entry_id)

    @contextmanager
    def _observed(self, kind: str) -> Iterator[None]:
        begun, outcome = time.perf_counter(), 'failed'
        try:
            yield
            outcome = 'answered'
        except Refused:
            outcome = 'refused'
            raise
        finally:
            query = AnsweredQuery(kind, outcome, time.perf_counter() - begun)
            for observer in self.observers:
                observer(query)
