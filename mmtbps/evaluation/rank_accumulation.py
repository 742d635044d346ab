"""Ranks of the positives, added up over the parts of a gallery."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.utils import ProgressBar
from torch import Tensor

from .counting import entries_before

__all__ = ['QueryChunk', 'split_queries', 'walk_gallery']


class QueryChunk:
    """Some of the queries, scored at once, and what stands before each of their positives.

    Args:
        features: ``(Q, D)``, of length 1.
        positives: ``(Q, P)`` gallery indices of the positives, int64.
        present: ``(Q, P)`` bool; False marks slots that only fill the row.
        images: ``(Q, 1)`` and ``(N,)`` image ids of the queries and of the whole gallery, to
            leave entries of a query's own image out of its ranking.
    """

    def __init__(self, features: Tensor, positives: Tensor, present: Tensor,
                 images: tuple[Tensor, Tensor] | None = None):
        self.features, self.positives, self.images = features, positives, images
        if images:
            present = present & (images[0] != images[1][positives])
        self.present = present
        self.wanted = features.new_zeros(positives.shape)
        self.before = torch.zeros_like(positives)

    def score(self, part: Tensor, span: slice, memory: Tensor) -> Tensor:
        """``(Q, n)`` float32 cosines with the ``(n, D)`` entries at ``span``, in ``memory``."""
        scores = memory[:len(self.features) * len(part)].view(-1, len(part))
        # Given `out`, the product stays in float32 under autocast, too.
        torch.mm(self.features, part.T, out=scores)
        if self.images:
            own, gallery = self.images
            scores.masked_fill_(own == gallery[span], -torch.inf)
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
        """``(Q, P)`` float64 on the CPU, ascending from 1, ``inf`` where not present."""
        ranks = (self.before + 1).double().masked_fill_(~self.present, torch.inf)
        return ranks.cpu().sort(1).values


def split_queries(features: Tensor, ids: Tensor, gallery_ids: Tensor, chunk_size: int,
                  images: tuple[Tensor, Tensor] | None = None) -> list[QueryChunk]:
    """Look the positives of all queries up, and cut the queries into chunks.

    Args:
        features: ``(Q, D)``, of length 1.
        ids: ``(Q,)`` person of each query.
        gallery_ids: ``(N,)`` person of each gallery entry.
        chunk_size: queries of a chunk.
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
                                 images and (images[0][chunk, None], images[1])))
    return chunks


def walk_gallery(chunks: Sequence[QueryChunk], load: Callable[[slice], Tensor],
                 spans: Sequence[slice], progress: bool = False) -> None:
    """Score the gallery part by part and add up what stands before the positives.

    A positive's score has to come from the very product that its neighbours are scored by. So
    parts that hold positives are scored first, to find these scores; then the others, once. Of
    the first, the last is counted at once and the rest is scored again. A gallery of one part,
    or one with distractors in many others, is scored exactly once.

    Args:
        chunks: of :func:`split_queries`.
        load: gives the ``(n, D)`` entries at a span, of length 1.
        spans: cut the gallery into parts, in order.
        progress: show a bar.
    """
    visits = list(_visits(chunks, spans))
    bar = ProgressBar(len(visits) * len(chunks), file=sys.stderr) if progress else None
    # Fresh memory for each product would cost a fifth of the time in page faults.
    memory = chunks[0].features.new_empty(
        len(chunks[0].features) * max(span.stop - span.start for span in spans))
    with _true_float32():
        for span, find, count in visits:
            part = load(span)
            for chunk in chunks:
                scores = chunk.score(part, span, memory)
                if find:
                    chunk.find(scores, span)
                if count:
                    chunk.count(scores, span)
                if bar:
                    bar.update()


def _visits(chunks: Sequence[QueryChunk],
            spans: Sequence[slice]) -> Iterator[tuple[slice, bool, bool]]:
    """In which order to see the parts, and whether to find and to count there."""
    positives = torch.cat([chunk.positives[chunk.present].cpu() for chunk in chunks])
    stops = torch.tensor([span.stop for span in spans])
    holding = torch.bucketize(positives, stops, right=True).unique().tolist()
    for number in holding:
        yield spans[number], True, number == holding[-1]
    for number, span in enumerate(spans):
        if holding and number != holding[-1]:
            yield span, False, True


@contextmanager
def _true_float32() -> Iterator[None]:
    """Training may have allowed products of fewer digits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
