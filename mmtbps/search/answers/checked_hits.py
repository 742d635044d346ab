"""Hits of a gallery, ordered and marked by what is asked beside the sentence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..galleries.base import BaseGallery, Hit
from ..results import SearchResult
from .gallery_statistics import GalleryStatistics
from .hit_features import features_of
from .phrase_weights import phrases_to_weigh, score_spreads, weighed_scores
from .phrases import CHECKED, PhraseChecker
from .wishes import Wishes, order_by_marks

__all__ = ['mark_result', 'order_hits', 'reach_of', 'weigh_hits']


def reach_of(topk: Any, wishes: Wishes, sentences: Sequence[str | None]) -> Any:
    """Return how many hits are looked at, so that an answer can be ordered; bad numbers stay.

    Args:
        topk: Hits asked for.
        wishes: Beside the sentences.
        sentences: Of the queries; ``None`` for a picture alone.
    """
    if not isinstance(topk, int) or isinstance(topk, bool) or topk < 1:
        return topk
    ordered = any(wishes.ordering(sentence) or wishes.weigh and phrases_to_weigh(sentence)
                  for sentence in sentences)
    return (max(topk, CHECKED) if ordered else topk) + len(wishes.unlike)


def weigh_hits(hits: Sequence[Hit], query: np.ndarray, sentence: str | None, weight: float,
               checker: PhraseChecker, gallery: BaseGallery,
               statistics: GalleryStatistics) -> Sequence[Hit]:
    """Order hits by the sentence and its phrases, see `weighed_scores`; their scores stay.

    Args:
        hits: Best first.
        query: ``(D,)`` unit feature by which they were found.
        sentence: That was asked; ``None`` for a picture alone.
        weight: Of the phrases.
        checker: Of the model of the gallery.
        gallery: Of the hits.
        statistics: Of the gallery.
    """
    phrases = phrases_to_weigh(sentence)
    if not weight or not phrases or not hits:
        return hits
    spread, = score_spreads(query[None], statistics.mean, statistics.second)
    weighed = weighed_scores(np.array([hit.score for hit in hits]), features_of(
        gallery, [hit.entry.id for hit in hits], hits), phrases, checker, spread, weight)
    return [hits[place] for place in np.argsort(-weighed, kind='stable')]


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
