"""Open-set trials: each sentence is asked of a gallery that has its person, or has not.

People are dealt into groups of one more than the size. A sentence is asked of its own person's
group without one: without its person, or without somebody else. So all galleries have the size,
every sentence is asked once, and who is absent depends on the seed alone.

A sentence that says little fits others too. Then nobody whom it fits is there, or its own person
alone, or all of them: as the trial is asked for; whom it may fit is never there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mmtbps.errors import BadValue

from .evidence import (
    FIRST_HITS,
    NeutralScale,
    gallery_moments,
    hit_evidence,
    left_out,
    neutral_scale,
    neutral_share,
    stranger_moments,
)

__all__ = ['OpenSet', 'Trials', 'deal_trials', 'people_sizes']

Array = NDArray[np.floating]
_GONE = -np.inf
#: So many scores are held at a time.
_MOST_SCORES = 1 << 24


@dataclass(frozen=True)
class OpenSet:
    """Sentences and a gallery, with the person of each.

    Args:
        queries: ``(Q, D)`` unit features of sentences.
        query_ids: ``(Q,)`` person ids.
        gallery: ``(N, D)`` unit features of pictures.
        gallery_ids: ``(N,)`` person ids.
        bank: ``(B, D)`` unit features of neutral sentences; none for the scores alone.
        scale: Of another gallery of the model, see `neutral_scale`.
        fits: ``(Q, N)`` whether sentences fit pictures of others than their person: 1 if so, 0 if
            not, -1 if nobody knows, see `mmtbps.evaluation.presence.caption_parts`. Without it
            they fit nobody else.
    """

    queries: Array
    query_ids: NDArray[np.integer]
    gallery: Array
    gallery_ids: NDArray[np.integer]
    bank: Array | None = None
    scale: NeutralScale | None = None
    fits: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class Trials:
    """Outcomes of T trials, by the first K hits of each.

    Args:
        query: ``(T,)`` places of the sentences.
        present: ``(T,)`` whether the person was there.
        size: ``(T,)`` entries that were searched.
        scores: ``(T, K)``, best first.
        matches: ``(T, K)`` whether a hit is the person, or one whom the sentence fits.
        mean: ``(T,)`` of the scores of strangers, see `stranger_moments`.
        deviation: ``(T,)``.
        evidence: ``(T, K, E)``, see `hit_evidence`; E is 0 without neutral sentences.
    """

    query: NDArray[np.integer]
    present: NDArray[np.bool_]
    size: NDArray[np.integer]
    scores: Array
    matches: NDArray[np.bool_]
    mean: Array
    deviation: Array
    evidence: Array

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def join(cls, parts: list['Trials']) -> 'Trials':
        """Join trials; with as many hits as the fewest have."""
        hits = min(part.scores.shape[1] for part in parts)
        values = {each.name: [getattr(part, each.name) for part in parts] for each in fields(cls)}
        for name in ('scores', 'matches', 'evidence'):
            values[name] = [value[:, :hits] for value in values[name]]
        return cls(**{name: np.concatenate(value) for name, value in values.items()})

    def take(self, rows: NDArray) -> 'Trials':
        """Take some of the trials."""
        return Trials(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def people_sizes(people: int, smallest: int = 25) -> list[int]:
    """List sizes of galleries that can be dealt from people: doubling, and the largest.

    Example:
        >>> people_sizes(200)
        [25, 50, 100, 199]
    """
    largest = people - 1
    sizes = [largest]
    size = smallest
    while size <= .75 * largest:
        sizes.append(size)
        size *= 2
    return sorted(sizes)


def deal_trials(data: OpenSet, size: int, share: float = .5, seed: int = 0,
                alone: bool = True) -> Trials:
    """Ask each sentence of a gallery of ``size`` people.

    Where sentences fit others too, galleries have fewer pictures, each sentence its own number; one
    that leaves less than half of a gallery is not asked of it.

    Args:
        data: Sentences and gallery; people without pictures or sentences are left out.
        size: People in each gallery, fewer than there are.
        share: Of the people who are there when they are asked for.
        seed: Of the groups and of who is there.
        alone: Whether a person who is there is the only one whom the sentence fits; otherwise all
            are there whom it is known to fit.

    Raises:
        BadValue: There are too few people, or the share is none.
    """
    people = np.intersect1d(data.gallery_ids, data.query_ids)
    if not 1 <= size < len(people):
        raise BadValue(f'a gallery of {size} people cannot be dealt from {len(people)}: one more '
                       'is needed than it has')
    if not 0 < share < 1:
        raise BadValue(f'the share of sentences whose person is there is between 0 and 1, got '
                       f'{share}')
    generator = np.random.default_rng([seed, size])
    order = generator.permutation(people)
    there = dict(zip(order.tolist(), (generator.random(len(order)) < share).tolist(), strict=True))
    dealt = [trials for group in _groups(order, size + 1)
             for trials in _ask_group(data, group, there, alone)]
    if not dealt:
        raise BadValue(f'each sentence fits, or may fit, more than half of a gallery of {size}')
    return Trials.join(dealt)


def _groups(order: NDArray, size: int) -> Iterator[NDArray]:
    """Yield whole groups; the people of a rest are asked for in another seed."""
    for start in range(0, len(order) - size + 1, size):
        yield order[start:start + size]


def _ask_group(data: OpenSet, group: NDArray, there: dict[int, bool],
               alone: bool) -> list[Trials]:
    rows = np.flatnonzero(np.isin(data.gallery_ids, group))
    asked = np.flatnonzero(np.isin(data.query_ids, group))
    ids = data.gallery_ids[rows]
    # Somebody else: the next in the group.
    following = dict(zip(group.tolist(), np.roll(group, -1).tolist(), strict=True))
    away = np.array([following[person] if there[person] else person
                     for person in data.query_ids[asked].tolist()])
    pictures = dict(zip(*(part.tolist() for part in np.unique(ids, return_counts=True)),
                        strict=True))
    size = len(rows) - np.array([pictures[person] for person in away.tolist()])
    if data.fits is not None:
        size = (~_who_is_there(data, asked, rows, away, alone)[1]).sum(1)
        enough = 2 * size >= len(rows)
        asked, away, size = asked[enough], away[enough], size[enough]
    if not len(asked):
        return []
    gallery, fewest = data.gallery[rows], int(size.min())
    scale = shares = None
    if data.bank is not None:
        scale = neutral_scale(data.bank, *gallery_moments(gallery), len(gallery), data.scale)
        shares = neutral_share(gallery @ data.bank.T, scale)
    step = max(1, _MOST_SCORES // len(rows))
    parts = [slice(start, start + step) for start in range(0, len(asked), step)]
    return [_rank(np.asarray(data.queries[asked[part]] @ gallery.T, np.float64), asked[part],
                  away[part] != data.query_ids[asked[part]], size[part],
                  *_who_is_there(data, asked[part], rows, away[part], alone), fewest, shares,
                  scale) for part in parts]


def _who_is_there(data: OpenSet, asked: NDArray, rows: NDArray, away: NDArray,
                  alone: bool) -> tuple[NDArray, NDArray]:
    """Compute ``(Q, N)`` who of a group matches some sentences, and who is gone for them."""
    owners, ids = data.query_ids[asked, None], data.gallery_ids[rows]
    same, gone = owners == ids, away[:, None] == ids
    if data.fits is None:
        return same, gone
    fits = np.where(same, 0, data.fits[np.ix_(asked, rows)])
    leave = (away[:, None] == owners) | alone
    return same | (fits > 0), gone | (fits < 0) | (fits > 0) & leave


def _rank(scores: Array, asked: NDArray, present: NDArray, size: NDArray, same: NDArray,
          gone: NDArray, fewest: int, shares: Array | None, scale: NeutralScale | None) -> Trials:
    """Rank what is there of a gallery for some sentences, all of one group."""
    kept = np.where(gone, 0, scores)
    mean, square = kept.sum(1) / size, (kept ** 2).sum(1) / size
    scores = np.where(gone, _GONE, scores)
    first = np.argsort(-scores, axis=1, kind='stable')[:, :min(FIRST_HITS, fewest)]
    best = np.take_along_axis(scores, first, 1)
    mean, deviation = stranger_moments(mean, square, size, best[:, :left_out(fewest)])
    evidence = np.empty((*best.shape, 0)) if shares is None else hit_evidence(
        best, shares[first], mean, deviation, scale)
    return Trials(asked, present, size, best, np.take_along_axis(same, first, 1), mean, deviation,
                  evidence)
