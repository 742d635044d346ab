"""Hits of a gallery, ordered and marked by what is asked beside the sentence."""

from collections.abc import Sequence
from typing import Any

from ..galleries.base import BaseGallery, Hit
from ..results import SearchResult
from .hit_features import features_of
from .phrases import CHECKED, PhraseChecker
from .wishes import Wishes, order_by_marks

__all__ = ['mark_result', 'order_hits', 'reach_of']


def reach_of(topk: Any, wishes: Wishes, sentences: Sequence[str | None]) -> Any:
    """Return how many hits are looked at, so that an answer can be ordered; bad numbers stay.

    Args:
        topk: Hits asked for.
        wishes: Beside the sentences.
        sentences: Of the queries; ``None`` for a picture alone.
    """
    if not isinstance(topk, int) or isinstance(topk, bool) or topk < 1:
        return topk
    ordered = any(wishes.ordering(sentence) for sentence in sentences)
    return (max(topk, CHECKED) if ordered else topk) + len(wishes.unlike)


def order_hits(hits: Sequence[Hit], sentence: str | None, wishes: Wishes, checker: PhraseChecker,
               gallery: BaseGallery) -> list[Hit]:
    """Leave out what was marked wrong, and order the rest by what must hold.

    Args:
        hits: Best first.
        sentence: That was asked; ``None`` for a picture alone.
        wishes: Beside it.
        checker: Of the model of the gallery.
        gallery: Of the hits.
    """
    hits = [hit for hit in hits if hit.entry.id not in wishes.unlike]
    phrases = wishes.ordering(sentence)
    if not phrases or not hits:
        return hits
    return order_by_marks(hits, checker.marks(phrases, features_of(
        gallery, [hit.entry.id for hit in hits], hits)))


def mark_result(result: SearchResult, sentence: str | None, wishes: Wishes, checker: PhraseChecker,
                gallery: BaseGallery, hits: Sequence[Hit] = ()) -> SearchResult:
    """Mark the phrases of a query on the hits that are shown, and name the words left unread.

    Args:
        result: Of the query.
        sentence: That was asked; ``None`` for a picture alone.
        wishes: Beside it.
        checker: Of the model of the gallery.
        gallery: Of the hits.
        hits: Of the search, which may have brought features.
    """
    phrases = wishes.shown(sentence)
    if not phrases and not wishes.mark:
        return result
    marks = checker.marks(phrases, features_of(
        gallery, [hit.entry.id for hit in result.hits], hits)) if result.hits else []
    unchecked = () if sentence is None else checker.unchecked(sentence)
    return result.with_marks(marks, unchecked, checker.describe_bounds(phrases))
