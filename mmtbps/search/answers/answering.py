"""The way of a query from its feature to its answer: find, judge, order, mark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mmtbps.evaluation.presence.evidence import FIRST_HITS
from mmtbps.quantities import is_count

from ..galleries.base import BaseGallery, GalleryEntry, Hit
from ..grouped_search import best_of_groups_first, complete_groups, find_hits
from ..results import SearchResult
from .checked_hits import mark_result, order_hits, reach_of, weigh_hits
from .gallery_statistics import find_statistics
from .phrase_weights import phrases_to_weigh
from .phrases import PhraseChecker
from .presence import PresenceEstimator
from .wishes import Wishes

if TYPE_CHECKING:
    from ..reranking import HitReranker

__all__ = ['Answerer', 'Asked']


def tell_nothing(score: float) -> None:
    """Tell no probability of a score."""


@dataclass(frozen=True)
class Asked:
    """A query that is on its way to its answer.

    Args:
        name: Sentence, path or id, as the answer shows it.
        sentence: That was typed, with what it denies; None for a picture alone.
        encoded: Sentence that was encoded; None where a picture has a part in the feature, which
            then tells nothing of presence and is not seen by a second stage.
        said: What there is to say of the query, see `SearchResult`.
    """

    name: str
    sentence: str | None = None
    encoded: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answerer:
    """Answerer of queries that are encoded already.

    Args:
        gallery: That is searched.
        checker: Of phrases.
        picture: Reads the crop of a hit.
        reranker: A second stage, which orders the first hits anew.
        estimator: Of presence.
        probability: Of a score, where the model was trained to tell.
    """

    gallery: BaseGallery
    checker: PhraseChecker
    picture: Callable[[GalleryEntry], Image.Image]
    reranker: 'HitReranker | None' = None
    estimator: PresenceEstimator | None = None
    probability: Callable[[float], float | None] = tell_nothing

    def __call__(self, queries: Sequence[Asked], vectors: np.ndarray, wishes: Wishes,
                 topk: int = 10, where: Mapping[str, Any] | None = None,
                 group: str | None = None) -> list[SearchResult]:
        """Answer queries.

        Args:
            queries: All with a picture in them, or none.
            vectors: ``(Q, D)`` unit features of them.
            wishes: Beside them.
            topk: At most so many hits each.
            where: Which entries count.
            group: See `mmtbps.search.results.group_hits`.

        Raises:
            ValueError: ``topk`` or the filter is ill-formed.
        """
        vectors, sentences = self._move(queries, vectors, wishes)
        found = find_hits(self.gallery, vectors, self._reach(queries, wishes, topk), where, group)
        said = [dict(query.said) for query in queries]
        if any(sentences) and self.estimator:
            asked = [query.encoded for query in queries]
            for known, is_sentence, presence in zip(said, sentences, self.estimator(
                    vectors, found, where, asked), strict=True):
                if is_sentence:
                    known.update(presence=presence)
        if wishes.weigh:
            found = self._weigh(queries, vectors, found, wishes.weigh)
            for known, query in zip(said, queries, strict=True):
                known.update(weighed=[*map(str, phrases_to_weigh(query.sentence))])
        return [self._answer(query, hits, wishes, known, self.probability if is_sentence else
                             tell_nothing, topk, where, group)
                for query, hits, known, is_sentence in zip(queries, found, said, sentences,
                                                           strict=True)]

    def _move(self, queries: Sequence[Asked], vectors: np.ndarray,
              wishes: Wishes) -> tuple[np.ndarray, list[bool]]:
        """Move queries by marks of right and wrong, and away from what they only deny.

        "A person" finds most what most people carry, so that without a bag there would be nobody
        among the first hits.

        Returns:
            ``(Q, D)`` queries, and whether each is a sentence still: of a query that was moved
            neither presence nor a probability is known.
        """
        denied = [Wishes.denied_alone(query.sentence) if query.encoded is not None else ()
                  for query in queries]
        moved = wishes.move(vectors, self.gallery)
        if any(denied):
            moved = np.stack([self.checker.without(vector, phrases)
                              for vector, phrases in zip(moved, denied, strict=True)])
        marked = bool(wishes.like or wishes.unlike)
        return moved, [query.encoded is not None and not phrases and not marked
                       for query, phrases in zip(queries, denied, strict=True)]

    def _weigh(self, queries: Sequence[Asked], vectors: np.ndarray,
               found: Sequence[Sequence[Hit]], weight: float) -> Sequence[Sequence[Hit]]:
        if not any(found):
            return found
        statistics = find_statistics(self.gallery)
        return [weigh_hits(hits, vector, query.sentence, weight, self.checker, self.gallery,
                           statistics)
                for query, vector, hits in zip(queries, vectors, found, strict=True)]

    def _answer(self, query: Asked, hits: Sequence[Hit], wishes: Wishes, said: dict[str, Any],
                probability: Callable[[float], float | None], topk: int,
                where: Mapping[str, Any] | None, group: str | None) -> SearchResult:
        # Of what is denied nothing is left in the words that a second stage reads.
        if self.reranker is not None and query.encoded is not None and not (
                Wishes.denied_alone(query.sentence)):
            seen = self.reranker(query.encoded, best_of_groups_first(hits, group), self.picture)
            hits, said['lost'] = seen.hits, seen.lost
        hits = order_hits(hits, query.sentence, wishes, self.checker, self.gallery)
        result = SearchResult.of(
            query.name, complete_groups(self.gallery, hits, topk, where, group), probability, group,
            topk, **said)
        return mark_result(result, query.sentence, wishes, self.checker, self.gallery, hits)

    @staticmethod
    def _of_words(queries: Sequence[Asked]) -> bool:
        return bool(queries) and all(query.encoded is not None for query in queries)

    def _reach(self, queries: Sequence[Asked], wishes: Wishes, topk: Any) -> Any:
        """Return how many hits are looked at; what is no number of hits is refused later."""
        reach = reach_of(topk, wishes, [query.sentence for query in queries])
        if not is_count(topk) or not self._of_words(queries):
            return reach
        return max(reach, self.reranker.k if self.reranker else 0,
                   FIRST_HITS if self.estimator else 0)
