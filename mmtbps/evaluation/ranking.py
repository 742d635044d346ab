"""Exact ranks of the positives, a few queries at a time."""

import sys
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.utils import ProgressBar
from torch import Tensor

from .measures import (
    average_precision,
    inverse_negative_penalty,
    recall_at,
    trapezoid_average_precision,
)

__all__ = ['evaluate_ranking', 'positive_ranks']

Array = Tensor | np.ndarray | Sequence


@torch.no_grad()
def evaluate_ranking(query_features: Array,
                     query_ids: Array,
                     gallery_features: Array,
                     gallery_ids: Array,
                     topk: Sequence[int] = (1, 5, 10),
                     chunk_size: int = 1024,
                     device: str | torch.device | None = None,
                     query_images: Array | None = None,
                     gallery_images: Array | None = None,
                     cross_image_only: bool = False,
                     progress: bool = False) -> dict[str, float | int]:
    """Rank the whole gallery for every query and measure how well the positives stand.

    Features are normalised here; the score is their cosine in float32. A positive is a gallery
    entry with the query's person id. Entries of equal score keep their gallery order. Only the
    ranks of positives are kept, so memory grows with ``chunk_size`` x gallery and not with
    queries x gallery. The protocol is told in ``docs/concepts/evaluation_protocol.md``.

    Args:
        query_features: ``(Q, D)``, any scale and float type.
        query_ids: ``(Q,)`` integer person ids.
        gallery_features: ``(N, D)``.
        gallery_ids: ``(N,)`` integer person ids.
        topk: the k of ``R{k}``.
        chunk_size: queries scored at once; memory is 8 to 16 bytes x ``chunk_size`` x N.
        device: where to compute; default the device of ``query_features``.
        query_images: ``(Q,)`` integer image ids; needed for ``cross_image_only``.
        gallery_images: ``(N,)`` integer image ids; likewise.
        cross_image_only: leave gallery entries of the query's own image out of its ranking.
        progress: show a bar.

    Returns:
        In percent ``R{k}`` for each k, ``mAP`` (standard), ``mAP_trapz`` (trapezoid rule) and
        ``mINP``, averaged over the queries that have a positive; and the counts ``num_queries``,
        ``num_gallery``, ``num_unmatched`` (queries without a positive).

    Raises:
        ValueError: shapes, lengths or types do not fit, something is empty, a feature is not
            finite, or no query at all has a positive.

    Example:
        >>> gallery = torch.eye(3)
        >>> result = evaluate_ranking(gallery[:2], [7, 8], gallery, [7, 9, 8])
        >>> result['R1'], result['mAP'], result['mINP']
        (50.0, 66.66666666666666, 66.66666666666666)
    """
    queries = _unit_features('query_features', query_features, device)
    gallery = _unit_features('gallery_features', gallery_features, device or queries.device)
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError('query_features and gallery_features must have the same width, got '
                         f'{queries.shape[1]} and {gallery.shape[1]}')
    query_ids = _integers('query_ids', query_ids, queries)
    gallery_ids = _integers('gallery_ids', gallery_ids, gallery)
    if cross_image_only:
        query_images = _integers('query_images', query_images, queries)
        gallery_images = _integers('gallery_images', gallery_images, gallery)
    if not topk or min(topk) < 1 or chunk_size < 1:
        raise ValueError(f'topk and chunk_size must be positive, got {topk} and {chunk_size}')

    find_positives = _PersonLookup(gallery_ids)
    starts = range(0, len(queries), chunk_size)
    bar = ProgressBar(len(starts), file=sys.stderr) if progress else None
    # Fresh memory for each chunk would cost a fifth of the time in page faults.
    scores_memory, scratch = queries.new_empty(2, min(chunk_size, len(queries)), len(gallery))
    chunks = []
    for start in starts:
        chunk = slice(start, start + chunk_size)
        # Given `out`, the product stays in float32 under autocast, too.
        scores = torch.mm(queries[chunk], gallery.T, out=scores_memory[:len(queries[chunk])])
        positives, present = find_positives(query_ids[chunk])
        if cross_image_only:
            own_images = query_images[chunk, None]
            scores.masked_fill_(own_images == gallery_images, -torch.inf)
            present &= own_images != gallery_images[positives]
        chunks.append(_measure(positive_ranks(scores, positives, present, scratch), topk))
        if bar:
            bar.update()
    return _summary(torch.cat(chunks), topk, len(queries), len(gallery))


@torch.no_grad()
def positive_ranks(scores: Tensor, positives: Tensor, present: Tensor,
                   scratch: Tensor | None = None) -> Tensor:
    """Ranks of given gallery entries in each query's ranking, without ranking the others.

    The scores of a row are sorted as bare numbers (a vector instruction sort, no indices to
    drag along) and each positive is looked up by bisection. Where a positive shares its score,
    the entries of equal score before it are counted.

    Args:
        scores: ``(Q, N)``, higher is better; ``-inf`` is out of the ranking.
        positives: ``(Q, P)`` columns of the positives, int64.
        present: ``(Q, P)`` bool; False marks places that only fill the row.
        scratch: memory like ``scores`` (or with more rows) to sort in, overwritten.

    Returns:
        ``(Q, P)`` float64 on the CPU, ascending in each row, from 1, ``inf`` where not present.

    Example:
        >>> scores = torch.tensor([[.9, .3, .9, .5]])
        >>> positive_ranks(scores, torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.bool))
        tensor([[2., 4.]], dtype=torch.float64)
    """
    wanted = scores.gather(1, positives)
    ascending = _sorted_rows(scores, scratch)
    not_above = torch.searchsorted(ascending, wanted, right=True)
    before = scores.shape[1] - not_above
    next_below = ascending.gather(1, (not_above - 2).clamp_(min=0))
    tied = present & (not_above > 1) & (next_below == wanted)
    columns = torch.arange(scores.shape[1], device=scores.device)
    for place in tied.any(0).nonzero().flatten().tolist():
        rows = tied[:, place].nonzero().flatten()
        equal = scores.index_select(0, rows) == wanted[rows, place, None]
        earlier = columns < positives[rows, place, None]
        before[rows, place] += (equal & earlier).sum(1)
    ranks = before.cpu().double().add_(1).masked_fill_(~present.cpu(), torch.inf)
    return ranks.sort(1).values


class _PersonLookup:
    """Finds all gallery entries of a person by bisection."""

    def __init__(self, gallery_ids: Tensor):
        self.ids, self.order = gallery_ids.sort(stable=True)

    def __call__(self, person_ids: Tensor) -> tuple[Tensor, Tensor]:
        """``(Q,)`` ids to ``(Q, P)`` gallery indices and the mask of those that are real."""
        first = torch.searchsorted(self.ids, person_ids)
        count = torch.searchsorted(self.ids, person_ids, right=True) - first
        places = torch.arange(max(1, int(count.max())), device=first.device)
        slots = (first[:, None] + places).clamp_(max=len(self.ids) - 1)
        return self.order[slots], places < count[:, None]


def _sorted_rows(scores: Tensor, scratch: Tensor | None) -> Tensor:
    if scores.device.type != 'cpu':
        return scores.sort(1).values
    rows = scores.clone() if scratch is None else scratch[:len(scores)].copy_(scores)
    rows.numpy().sort(axis=1)  # many times faster on a CPU than torch's own
    return rows


def _measure(ranks: Tensor, topk: Sequence[int]) -> Tensor:
    """``(Q, P)`` ranks to ``(M, len(topk) + 3)`` measures of the M queries with a positive."""
    ranks = ranks[ranks[:, 0].isfinite()]
    return torch.stack([*(recall_at(ranks, k) for k in topk),
                        average_precision(ranks),
                        trapezoid_average_precision(ranks),
                        inverse_negative_penalty(ranks)], dim=1)


def _summary(measures: Tensor, topk: Sequence[int], num_queries: int,
             num_gallery: int) -> dict[str, float | int]:
    if not len(measures):
        raise ValueError(f'none of the {num_queries} queries has a positive among the '
                         f'{num_gallery} gallery entries; do both use the same person ids?')
    names = [*(f'R{k}' for k in topk), 'mAP', 'mAP_trapz', 'mINP']
    means = (100 * measures.mean(0)).tolist()
    return dict(zip(names, means, strict=True), num_queries=num_queries,
                num_gallery=num_gallery, num_unmatched=num_queries - len(measures))


def _unit_features(name: str, features: Array, device: str | torch.device | None) -> Tensor:
    features = torch.as_tensor(features).detach().to(device).float()
    if features.ndim != 2 or not features.numel():
        raise ValueError(f'{name} must be a non-empty (rows, width) matrix, got shape '
                         f'{tuple(features.shape)}')
    broken = (~features.isfinite()).any(1).nonzero().flatten()
    if len(broken):
        raise ValueError(f'{name}: {len(broken)} rows hold NaN or infinity in float32, the first '
                         f'is row {int(broken[0])}; did the training diverge?')
    return F.normalize(features, dim=1)


def _integers(name: str, values: Array | None, features: Tensor) -> Tensor:
    if values is None:
        raise ValueError(f'cross_image_only needs {name}')
    try:
        ids = torch.as_tensor(values, device=features.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f'{name} must be integers: {error}') from error
    if ids.is_floating_point() or ids.is_complex():
        raise ValueError(f'{name} must be integers, got {ids.dtype}')
    if ids.shape != (len(features),):
        raise ValueError(f'{name} must hold one id for each of the {len(features)} features, '
                         f'got shape {tuple(ids.shape)}')
    return ids.long()
