"""The page for programs: the same questions, answered in JSON."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

from .html import as_data_uri
from .service import Desk, Refused, make_where
from .views import SHEET_SIZE

__all__ = ['offer_api']


def offer_api(gr: ModuleType, desk: Desk, lane: dict[str, Any]) -> None:
    """Give the open page the endpoints ``/search``, ``/similar`` and ``/explain``.

    Args:
        gr: Gradio, inside the blocks of the page.
        desk: Answers.
        lane: Which requests wait for each other.
    """
    def search(text: str, topk: int = 20, cameras: list[str] | None = None, since: str = '',
               until: str = '', track: str = '') -> list[dict]:
        """People of the gallery that a sentence describes, best first."""
        return _for_programs(desk.search(text, topk, make_where(cameras, since, until, track)))

    def similar(entry_id: str, topk: int = 20, cameras: list[str] | None = None, since: str = '',
                until: str = '', track: str = '') -> list[dict]:
        """People of the gallery that look most like one of them, without that one."""
        return _for_programs(
            desk.similar(entry_id, topk, make_where(cameras, since, until, track)))

    def explain(text: str, entry_id: str) -> str:
        """Where the words of a sentence are in a picture, as the data URI of a JPEG."""
        return as_data_uri(desk.explain(text, entry_id), SHEET_SIZE)

    for function in (search, similar, explain):
        gr.api(_speaking(gr, function), api_name=function.__name__, **lane)


def _for_programs(hits: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Hits with ``file`` for ``path``: Gradio's client would ask for a path to download it."""
    return [{'file' if key == 'path' else key: value for key, value in hit.items()}
            for hit in hits]


def _speaking(gr: ModuleType, function: Callable) -> Callable:
    """Tells a program why it gets no answer."""
    @wraps(function)
    def speaking(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except Refused as refusal:
            raise gr.Error(str(refusal), print_exception=False) from refusal

    return speaking
