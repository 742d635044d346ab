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
        unknown: Words of the sentence that the model does not know.
        read: Beginning of the sentence that the model reads; None for all of it.
        unread: Rest of the sentence, which it does not read.
        image: Path of the picture that was asked for together with the sentence.
        image_weight: Share of the picture in such a query, 0 to 1; that of the sentence is the
            rest.

    What there is nothing to say of is no key of the dict.

    Example:
        >>> result = SearchResult.of('a man in red', [Hit(GalleryEntry('7', 'a.jpg'), .83)])
        >>> [hit['rank'] for hit in result['hits']], result.hits[0].score
        ([1], 0.83)
    """

    def __init__(self, query: str, hits: Sequence[SearchHit], *, unknown: Sequence[str] = (),
                 read: str | None = None, unread: str = '', image: str | None = None,
                 image_weight: float | None = None) -> None:
        super().__init__(query=query, hits=list(hits))
        self.query, self.hits = query, tuple(hits)
        self.unknown, self.read, self.unread = tuple(unknown), read, unread
        self.image, self.image_weight = image, image_weight
        said = dict(unknown=list(unknown) or None, read=read, unread=unread or None, image=image,
                    image_weight=image_weight)
        self._said = {key: value for key, value in said.items() if value is not None}
        self.update(self._said)

    @property
    def title(self) -> str:
        """The query in words, with the picture and its weight if there is one."""
        return self.query if self.image is None else (
            f'{self.query} + picture {self.image} (weight {self.image_weight:g})')

    @classmethod
    def of(cls, query: str, hits: Sequence[Hit],
           probability: Callable[[float], float | None] = lambda score: None,
           **said: Any) -> 'SearchResult':
        """Rank the hits of a gallery, which come best first.

        Args:
            query: The sentence, path or id that was asked for.
            hits: Of the gallery.
            probability: Of a score, where the model was trained to tell.
            **said: Keywords of the class: what there is to say of the query.
        """
        return cls(query, [SearchHit(rank, float(hit.score), hit.entry,
                                     probability(float(hit.score)))
                           for rank, hit in enumerate(hits, start=1)], **said)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types: the query, what there is to say of it, and the hits."""
        return dict(query=self.query, hits=[hit.to_json() for hit in self.hits], **self._said)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'SearchResult':
        """Read a result written by :meth:`to_json`."""
        values = dict(values)
        query, hits = values.pop('query'), values.pop('hits')
        return cls(query, [SearchHit.from_json(hit) for hit in hits], **values)
