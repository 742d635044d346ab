"""Results of a search: one object a query, made once, read by programs, commands and pages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .galleries.base import GalleryEntry, Hit

__all__ = ['SearchHit', 'SearchResult']


class SearchHit(dict):
    """One person found, with rank and score; also the dict of JSON types of `to_json`.

    Args:
        rank: 1 for the best.
        score: Cosine similarity to the query, -1 to 1.
        entry: Of the gallery.
        probability: That query and entry belong together, 0 to 1; None for a model that was not
            trained to tell. It is a key of the dict only where it is known.

    Example:
        >>> hit = SearchHit(1, .83, GalleryEntry('7', 'lobby/0007.jpg', camera='c1'))
        >>> hit.entry.camera, hit['path']
        ('c1', 'lobby/0007.jpg')
    """

    def __init__(self, rank: int, score: float, entry: GalleryEntry,
                 probability: float | None = None) -> None:
        super().__init__(
            rank=rank, score=score, id=entry.id, path=entry.path, camera=entry.camera,
            time=entry.time, track=entry.track, frame=entry.frame,
            box=None if entry.box is None else list(entry.box), extra=dict(entry.extra))
        self.rank, self.score, self.entry = rank, score, entry
        self.probability = probability
        if probability is not None:
            self['probability'] = probability

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types: rank, score, and what is known of the entry."""
        return dict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'SearchHit':
        """Read a hit written by :meth:`to_json`."""
        values = dict(values)
        rank, score = values.pop('rank'), values.pop('score')
        probability = values.pop('probability', None)
        return cls(rank, score, GalleryEntry.from_json(values), probability)


class SearchResult(dict):
    """The people found for one query, best first; also the dict of JSON types of `to_json`.

    Args:
        query: The sentence, the path of the picture, or the id of the entry that was asked for.
        hits: In order of rank.

    Example:
        >>> result = SearchResult.of('a man in red', [Hit(GalleryEntry('7', 'a.jpg'), .83)])
        >>> [hit['rank'] for hit in result['hits']], result.hits[0].score
        ([1], 0.83)
    """

    def __init__(self, query: str, hits: Sequence[SearchHit]) -> None:
        super().__init__(query=query, hits=list(hits))
        self.query, self.hits = query, tuple(hits)

    @classmethod
    def of(cls, query: str, hits: Sequence[Hit],
           probability: Callable[[float], float | None] = lambda score: None) -> 'SearchResult':
        """Rank the hits of a gallery, which come best first.

        Args:
            query: The sentence, path or id that was asked for.
            hits: Of the gallery.
            probability: Of a score, where the model was trained to tell.
        """
        return cls(query, [SearchHit(rank, float(hit.score), hit.entry,
                                     probability(float(hit.score)))
                           for rank, hit in enumerate(hits, start=1)])

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types: the query and a dict for each hit."""
        return dict(query=self.query, hits=[hit.to_json() for hit in self.hits])

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'SearchResult':
        """Read a result written by :meth:`to_json`."""
        return cls(values['query'], [SearchHit.from_json(hit) for hit in values['hits']])
