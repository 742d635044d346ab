"""Results of a search: one object a query, made once, read by programs, commands and pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mmtbps.errors import BadValue

from .galleries.base import GalleryEntry, Hit
from .presence import Presence

__all__ = ['GROUPS', 'SearchHit', 'SearchResult', 'add_members', 'group_hits']

#: What may be grouped into one hit, beside identical pictures.
GROUPS = ('track', 'photograph')


def group_hits(hits: Sequence[Hit], by: str | None = None
               ) -> list[tuple[Hit, tuple[GalleryEntry, ...]]]:
    """Group the hits that show the same: the best of each group, with the other entries of it.

    Args:
        hits: Of a gallery, best first.
        by: ``None`` groups identical pictures: the same content, frame and box. ``'track'`` groups
            those of one track, too; ``'photograph'`` all people of one photograph or frame.

    Raises:
        BadValue: ``by`` is something else.

    Example:
        >>> same = dict(size=9, sha256='ab')
        >>> hits = [Hit(GalleryEntry('1', 'a.jpg', **same), .9),
        ...         Hit(GalleryEntry('2', 'copy.jpg', **same), .9)]
        >>> [(hit.entry.path, [other.path for other in others])
        ...  for hit, others in group_hits(hits)]
        [('a.jpg', ['copy.jpg'])]
    """
    if by is not None and by not in GROUPS:
        raise BadValue(f'hits are grouped by {" or ".join(GROUPS)}, got {by!r}')
    groups: dict[Any, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(_group_of(hit.entry, by), []).append(hit)
    return [(best, tuple(hit.entry for hit in others)) for best, *others in groups.values()]


def add_members(hits: Sequence[Hit], members: Iterable[GalleryEntry], by: str,
                topk: int) -> list[Hit]:
    """Add the entries of the first groups that are not among the hits, so that all are counted.

    Args:
        hits: Of a gallery, best first.
        members: Entries of these groups, and maybe others.
        by: See `group_hits`.
        topk: So many groups are completed.
    """
    shown = {_group_of(hit.entry, by) for hit, _ in group_hits(hits, by)[:topk]}
    there = {hit.entry.id for hit in hits}
    missing = [entry for entry in members
               if entry.id not in there and _group_of(entry, by) in shown]
    last = hits[-1].score if hits else 0.
    return [*hits, *(Hit(entry, last) for entry in sorted(missing, key=lambda entry: entry.id))]


def _group_of(entry: GalleryEntry, by: str | None) -> tuple:
    if by == 'track' and entry.track is not None:
        return 'track', entry.track
    place = entry.sha256 or entry.path
    if by == 'photograph':
        return 'photograph', place, entry.frame
    return ('picture', place, entry.frame, entry.box) if entry.sha256 else ('entry', entry.id)


class SearchHit(dict):
    """One person found, with rank and score; also the dict of JSON types of `to_json`.

    Args:
        rank: 1 for the best.
        score: Cosine similarity to the query, -1 to 1.
        entry: Of the gallery.
        probability: That query and entry belong together, 0 to 1: calibrated for this gallery, or
            else as the model was trained to tell of any pair; None where there is neither. It is a
            key of the dict only where it is known, as the next two.
        estimate: Of the same, without labels and not calibrated.
        match: Score of a second stage, by which the hits that have one are ordered; without bounds.
        others: Further entries of its group, see `group_hits`. They are a key of the dict, with
            id and path, only where there are some.
        marks: What holds of the phrases of the query, as dicts with ``phrase``, ``mark`` (yes, no
            or unsure) and ``margin``; a key of the dict only where phrases were checked.

    Example:
        >>> hit = SearchHit(1, .83, GalleryEntry('7', 'lobby/0007.jpg', camera='c1'))
        >>> hit.entry.camera, hit['path']
        ('c1', 'lobby/0007.jpg')
    """

    def __init__(self, rank: int, score: float, entry: GalleryEntry,
                 probability: float | None = None,
                 others: Sequence[GalleryEntry] = (), match: float | None = None,
                 marks: Sequence[Mapping[str, Any]] = (), estimate: float | None = None) -> None:
        super().__init__(
            rank=rank, score=score, id=entry.id, path=entry.path, camera=entry.camera,
            time=entry.time, track=entry.track, frame=entry.frame,
            box=None if entry.box is None else list(entry.box), extra=dict(entry.extra))
        self.rank, self.score, self.entry = rank, score, entry
        self.probability = probability
        if probability is not None:
            self['probability'] = probability
        self.estimate, self.match = estimate, match
        self.update({key: value for key, value in (
            ('estimate', estimate), ('match', match), ('caption', entry.caption))
            if value is not None})
        self.others = tuple(others)
        if self.others:
            self['others'] = [dict(id=other.id, path=other.path) for other in self.others]
        self.marks = tuple(dict(mark) for mark in marks)
        if self.marks:
            self['marks'] = list(self.marks)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types: rank, score, and what is known of the entry."""
        return dict(self)

    def describe_others(self) -> str:
        """Word how many more entries the hit stands for; empty if it stands for itself alone.

        Example:
            >>> copy = dict(size=9, sha256='ab')
            >>> SearchHit(1, .5, GalleryEntry('1', 'a.jpg', **copy),
            ...           others=[GalleryEntry('2', 'b.jpg', **copy)]).describe_others()
            '1 more identical'
        """
        picture = _group_of(self.entry, None)
        same = sum(_group_of(other, None) == picture for other in self.others)
        numbers = {'identical': same, 'of this group': len(self.others) - same}
        return ', '.join(f'{number} more {kind}' for kind, number in numbers.items() if number)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'SearchHit':
        """Read a hit written by :meth:`to_json`."""
        values = dict(values)
        rank, score = values.pop('rank'), values.pop('score')
        probability = values.pop('probability', None)
        others = [GalleryEntry(**other) for other in values.pop('others', ())]
        match, marks = values.pop('match', None), values.pop('marks', ())
        estimate = values.pop('estimate', None)
        return cls(rank, score, GalleryEntry.from_json(values), probability, others, match, marks,
                   estimate)

    def with_marks(self, marks: Sequence[Any]) -> 'SearchHit':
        """Return this hit with the marks of the phrases of its query."""
        return type(self)(self.rank, self.score, self.entry, self.probability, self.others,
                          self.match, [mark.to_json() for mark in marks], self.estimate)


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
        lost: Paths of pictures that a second stage was to see and could not read; their hits stand
            behind those that it saw.
        unchecked: Words of the sentence that are in no phrase that was checked on the hits.
        marked_by: Bounds of the marks: ``'label-free'``, ``'calibrated'``.
        presence: Whether the person of a sentence is there at all, where it was estimated.
        weighed: Phrases that had a say in the order and none in the scores, so that these need not
            fall; empty if none could be weighed, None if it was not asked for.

    What there is nothing to say of is no key of the dict.

    Example:
        >>> result = SearchResult.of('a man in red', [Hit(GalleryEntry('7', 'a.jpg'), .83)])
        >>> [hit['rank'] for hit in result['hits']], result.hits[0].score
        ([1], 0.83)
    """

    def __init__(self, query: str, hits: Sequence[SearchHit], *, unknown: Sequence[str] = (),
                 read: str | None = None, unread: str = '', image: str | None = None,
                 image_weight: float | None = None, lost: Sequence[str] = (),
                 unchecked: Sequence[str] = (), marked_by: str = '',
                 presence: Presence | None = None,
                 weighed: Sequence[str] | None = None) -> None:
        super().__init__(query=query, hits=list(hits))
        self.query, self.hits = query, tuple(hits)
        self.unknown, self.read, self.unread = tuple(unknown), read, unread
        self.image, self.image_weight, self.lost = image, image_weight, tuple(lost)
        self.unchecked, self.marked_by, self.presence = tuple(unchecked), marked_by, presence
        self.weighed = None if weighed is None else tuple(weighed)
        said = dict(unknown=list(unknown) or None, read=read, unread=unread or None, image=image,
                    image_weight=image_weight, lost=list(lost) or None,
                    unchecked=list(unchecked) or None, marked_by=marked_by or None,
                    presence=None if presence is None else presence.to_json(),
                    weighed=None if weighed is None else list(weighed))
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
           group: str | None = None, topk: int | None = None, **said: Any) -> 'SearchResult':
        """Rank the hits of a gallery, which come best first; those of a group are one.

        Args:
            query: The sentence, path or id that was asked for.
            hits: Of the gallery.
            probability: Of a score, where the model was trained to tell.
            group: See `group_hits`.
            topk: At most so many groups; ``None`` for all.
            **said: Keywords of the class: what there is to say of the query.
        """
        presence = said.get('presence')
        of_hits = {} if presence is None else presence.hits
        calibrated = presence is not None and presence.calibrated
        ranked = []
        for rank, (hit, others) in enumerate(group_hits(hits, group)[:topk], start=1):
            told, score = of_hits.get(hit.entry.id), float(hit.score)
            ranked.append(SearchHit(
                rank, score, hit.entry, told if calibrated else probability(score), others,
                hit.match, estimate=None if calibrated else told))
        return cls(query, ranked, **said)

    def at_least(self, probability: float) -> 'SearchResult':
        """Leave out the hits that are less probably the person, by probability or estimate.

        A hit of which neither is known stays.

        Args:
            probability: From 0 to 1.

        Raises:
            BadValue: It is none.
        """
        if not 0 <= probability <= 1:
            raise BadValue(f'a probability is from 0 to 1, got {probability}')
        values = self.to_json()
        values['hits'] = [hit for hit in self.hits if hit.get(
            'probability', hit.get('estimate', 1)) >= probability]
        return SearchResult.from_json(values)

    def with_marks(self, marks: Sequence[Sequence[Any]], unchecked: Sequence[str],
                   marked_by: str) -> 'SearchResult':
        """Return this result with the marks of each hit, and what was not checked.

        Args:
            marks: Of each hit, `mmtbps.search.answers.PhraseMark`.
            unchecked: See the class.
            marked_by: See the class.
        """
        said = {**self._said, 'unchecked': unchecked, 'marked_by': marked_by,
                'presence': self.presence}
        return type(self)(self.query, [hit.with_marks(row) for hit, row in zip(
            self.hits, marks, strict=True)], **said)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types: the query, what there is to say of it, and the hits."""
        return dict(query=self.query, hits=[hit.to_json() for hit in self.hits], **self._said)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'SearchResult':
        """Read a result written by :meth:`to_json`."""
        values = dict(values)
        query, hits = values.pop('query'), values.pop('hits')
        if 'presence' in values:
            values['presence'] = Presence.from_json(values['presence'])
        return cls(query, [hit if isinstance(hit, SearchHit) else SearchHit.from_json(hit)
                           for hit in hits], **values)
