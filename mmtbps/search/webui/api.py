"""JSON endpoints of the page, for programs."""

from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

from mmtbps.markup import as_data_uri

from ..results import SearchHit
from .service import Refused, SearchService, make_where
from .views import SHEET_SIZE

__all__ = ['add_api']

#: Sentences that may be asked at a time; those that wait for the model are encoded together.
_AT_ONCE = dict(concurrency_id='sentences', concurrency_limit=16)


def add_api(gr: ModuleType, service: SearchService, queue: dict[str, Any]) -> None:
    """Add to the page the endpoints ``/search``, ``/similar`` and ``/explain``.

    Args:
        gr: Gradio, inside the blocks of the page.
        service: Answers.
        queue: Gradio's settings of the requests that wait for each other; sentences do not.
    """
    def search(text: str, topk: int = 20, cameras: list[str] | None = None, since: str = '',
               until: str = '', track: str = '') -> list[dict]:
        """Find the people of the gallery that a sentence describes, best first."""
        return _for_programs(service.search(text, topk, make_where(cameras, since, until, track)))

    def similar(entry_id: str, topk: int = 20, cameras: list[str] | None = None, since: str = '',
                until: str = '', track: str = '') -> list[dict]:
        """Find the people of the gallery that look most like one of them, without that one."""
        return _for_programs(
            service.similar(entry_id, topk, make_where(cameras, since, until, track)))

    def explain(text: str, entry_id: str) -> str:
        """Draw the places of a sentence's words in a picture, as the data URI of a JPEG."""
        return as_data_uri(service.explain(text, entry_id), SHEET_SIZE)

    for function, its_queue in ((search, _AT_ONCE), (similar, queue), (explain, queue)):
        gr.api(_with_plain_errors(gr, function), api_name=function.__name__, **its_queue)


def _for_programs(hits: Sequence[SearchHit]) -> list[dict[str, Any]]:
    """Name the path of each hit ``file``: Gradio's client would download a ``path``."""
    return [{'file' if key == 'path' else key: value for key, value in hit.to_json().items()}
            for hit in hits]


def _with_plain_errors(gr: ModuleType, function: Callable) -> Callable:
    """Wrap an endpoint so that a program is told why it gets no answer."""
    @wraps(function)
    def plain(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except Refused as refusal:
            raise gr.Error(str(refusal), print_exception=False) from refusal

    return plain
