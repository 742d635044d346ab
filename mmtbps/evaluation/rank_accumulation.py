"""Accumulation of the ranks of the positives, added up over the parts of a gallery."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from torch import Tensor

__all__ = ['QueryChunk', 'accumulate_ranks', 'entries_before', 'split_queries']

_MANY = 100  # positives of one query from which on sorting its scores costs less than counting


class QueryChunk:
    """Some of the queries, scored at once, and the count of entries before each of their positives.

    Args:
        features: ``(Q, D)``, of length 1.
        positives: ``(Q, P)`` gallery indices of the positives, int64.
        present: ``(Q, P)`` bool; False marks slots that only fill the row.
        images: ``(Q, 1)`` and ``(N,)`` image ids of the queries and of the whole gallery, to
            leave entries of a query's own image out of its ranking.
        rows: place of these queries among all, for `refinements`.

    Attributes:
        refinements: Change the scores, one after the other; then the gallery is one part.
    """

    def __init__(self, features: Tensor, positives: Tensor, present: Tensor,
                 images: tuple[Tensor, Tensor] | None = None, rows: slice | None = None):
        self.features, self.positives, self.images = features, positives, images
        self.rows, self.refinements = rows, ()
        if images:
            present = present & (images[0] != images[1][positives])
        self.present = present
        self.wanted = features.new_zeros(positives.shape)
        self.before = torch.zeros_like(positives)

    def score(self, part: Tensor, span: slice, memory: Tensor) -> Tensor:
        """Compute ``(Q, n)`` float32 scores with the ``(n, D)`` entries at ``span``."""
        scores = memory[:len(self.features) * len(part)].view(-1, len(part))
        # Given `out`, the product stays in float32 under autocast, too.
        torch.mm(self.features, part.T, out=scores)
        if self.images:
            own, gallery = self.images
            scores.masked_fill_(own == gallery[span], -torch.inf)
        for refinement in self.refinements:
            scores = refinement(self.features, part, scores, self.rows)
        return scores

    def find(self, scores: Tensor, span: slice) -> None:
        """Keep the scores of the positives that lie in the span."""
        inside = (self.positives >= span.start) & (self.positives < span.stop)
        places = (self.positives - span.start).clamp_(0, scores.shape[1] - 1)
        self.wanted = torch.where(inside, scores.gather(1, places), self.wanted)

    def count(self, scores: Tensor, span: slice) -> None:
        """Add the span's entries that stand before a positive; all positives are found."""
        self.before += entries_before(
            scores, self.wanted, self.positives - span.start, self.present)

    def ranks(self) -> Tensor:
        """Return ``(Q, P)`` float64 on the CPU, ascending from 1, ``inf`` where not present."""
        ranks = (self.before + 1).double().masked_fill_(~self.present, torch.inf)
        return ranks.cpu().sort(1).values


def split_queries(features: Tensor, ids: Tensor, gallery_ids: Tensor, chunk_size: int,
                  images: tuple[Tensor, Tensor] | None = None) -> list[QueryChunk]:
    """Look up the positives of all queries, and cut the queries into chunks.

    Args:
        features: ``(Q, D)``, of length 1.
        ids: ``(Q,)`` person of each query.
        gallery_ids: ``(N,)`` person of each gallery entry.
        chunk_size: Queries of a chunk.
        images: ``(Q,)`` and ``(N,)`` image ids, to leave a query's own image out.
    """
    sorted_ids, order = gallery_ids.sort(stable=True)
    chunks = []
    for start in range(0, len(features), chunk_size):
        chunk = slice(start, start + chunk_size)
        first = torch.searchsorted(sorted_ids, ids[chunk])
        count = torch.searchsorted(sorted_ids, ids[chunk], right=True) - first
        slots = torch.arange(max(1, int(count.max())), device=first.device)
        positives = order[(first[:, None] + slots).clamp_(max=len(order) - 1)]
        chunks.append(QueryChunk(features[chunk], positives, slots < count[:, None],
                                 images and (images[0][chunk, None], images[1]), chunk))
    return chunks


def accumulate_ranks(chunks: Sequence[QueryChunk], load: Callable[[slice], Tensor],
                     spans: Sequence[slice], progress: bool = False) -> None:
    """Score the gallery part by part and count the entries before each positive.

    A positive's score has to come from the very product that its neighbours are scored by. So
    parts that hold positives are scored first, to find these scores; then the others, once. Of
    the first, the last is counted at once and the rest is scored again. A gallery of one part,
    or one with distractors in many others, is scored exactly once.

    Args:
        chunks: Of :func:`split_queries`.
        load: Gives the ``(n, D)`` entries at a span, of length 1.
        spans: Cut the gallery into parts, in order.
        progress: Show a bar.
    """
    schedule = list(_schedule(chunks, spans))
    # Fresh memory for each product would cost a fifth of the time in page faults.
    memory = chunks[0].features.new_empty(
        len(chunks[0].features) * max(span.stop - span.start for span in spans))
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with _true_float32(), Progress('scoring', *columns, console=Console(stderr=True),
                                   disable=not progress) as bar:
        task = bar.add_task('scoring', total=len(schedule) * len(chunks))
        for span, find, count in schedule:
            part = load(span)
            for chunk in chunks:
                scores = chunk.score(part, span, memory)
                if find:
                    chunk.find(scores, span)
                if count:
                    chunk.count(scores, span)
                bar.advance(task)


def _schedule(chunks: Sequence[QueryChunk],
              spans: Sequence[slice]) -> Iterator[tuple[slice, bool, bool]]:
    """Yield the parts in the order to score them, each with whether to find and to count there."""
    positives = torch.cat([chunk.positives[chunk.present].cpu() for chunk in chunks])
    stops = torch.tensor([span.stop for span in spans])
    holding = torch.bucketize(positives, stops, right=True).unique().tolist()
    for number in holding:
        yield spans[number], True, number == holding[-1]
    for number, span in enumerate(spans):
        if holding and number != holding[-1]:
            yield span, False, True


def entries_before(scores: Tensor, wanted: Tensor, places: Tensor, present: Tensor) -> Tensor:
    """Count the entries that stand before each positive, among those of one part of a gallery.

    These are the entries with a better score, and those of equal score that come earlier in the
    gallery. So in front of the positive's place an equal score counts, behind it only a better
    one does: one comparison of each score. The counts of several parts add up.

    Args:
        scores: ``(Q, N)``, higher is better; ``-inf`` is out of the ranking.
        wanted: ``(Q, P)`` scores of the positives.
        places: ``(Q, P)`` int64 columns of the positives; below 0 for one in an earlier part of
            the gallery, N or more in a later one.
        present: ``(Q, P)`` bool; False marks slots that only fill the row.

    Returns:
        ``(Q, P)`` int64, 0 where not present.

    Example:
        >>> scores = torch.tensor([[.9, .3, .9, .5]])
        >>> wanted, places = torch.tensor([[.9, .9, .9]]), torch.tensor([[-1, 2, 4]])
        >>> entries_before(scores, wanted, places, torch.ones(1, 3, dtype=torch.bool))
        tensor([[0, 1, 2]])
    """
    if scores.device.type != 'cpu':
        return _before_on_device(scores, wanted, places).masked_fill_(~present, 0)
    before = torch.zeros_like(places)
    scores, wanted, places, present, counts = (
        tensor.numpy() for tensor in (scores, wanted, places, present, before))

    memory = np.empty(scores.shape[1], bool)
    for row in range(len(scores)):
        mask = present[row]
        if mask.sum() > _MANY:
            counts[row, mask] = _before_by_sorting(scores[row], wanted[row, mask],
                                                   places[row, mask])
        else:
            counts[row, mask] = _before_by_counting(scores[row], wanted[row, mask],
                                                    places[row, mask], memory)
    return before


def _before_on_device(scores: Tensor, wanted: Tensor, places: Tensor) -> Tensor:
    columns = torch.arange(scores.shape[1], device=scores.device)
    return torch.stack([
        ((scores > score) | ((scores == score) & (columns < place))).sum(1)
        for score, place in zip(wanted.T[..., None], places.T[..., None], strict=True)], dim=1)


def _before_by_counting(row: np.ndarray, wanted: np.ndarray, places: np.ndarray,
                        memory: np.ndarray) -> list[int]:
    # Comparing one row of plain numbers runs at the speed of the cache, in vector instructions;
    # two threads would take turns in Python itself.
    counts = []
    for score, place in zip(wanted, np.maximum(places, 0).tolist(), strict=True):
        np.greater_equal(row[:place], score, out=memory[:place])
        np.greater(row[place:], score, out=memory[place:])
        counts.append(np.count_nonzero(memory))
    return counts


def _before_by_sorting(row: np.ndarray, wanted: np.ndarray, places: np.ndarray) -> np.ndarray:
    ascending = np.sort(row)
    first, end = (ascending.searchsorted(wanted, side) for side in ('left', 'right'))
    before = len(row) - end
    itself = (places >= 0) & (places < len(row))
    for k in np.flatnonzero((end - first > itself) & (places > 0)):
        before[k] += np.count_nonzero(row[:places[k]] == wanted[k])
    return before


@contextmanager
def _true_float32() -> Iterator[None]:
    """Multiply in full float32, though training may have allowed products of fewer digits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
