"""Exact ranking of a gallery for every query, a few queries at a time."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmtbps.errors import BadValue

from .measures import (
    average_precision,
    inverse_negative_penalty,
    recall_at,
    trapezoid_average_precision,
)
from .rank_accumulation import QueryChunk, accumulate_ranks, split_queries
from .refinement import Refinement

__all__ = ['Array', 'evaluate_ranking', 'integers', 'measure_ranking', 'unit_features']

Array = Tensor | np.ndarray | Sequence
_SMALL, _LARGE = 1e-9, 1e15


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
                     progress: bool = False,
                     refinements: Sequence[Refinement] = ()) -> dict[str, float | int]:
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
        topk: The k of ``R{k}``.
        chunk_size: Queries scored at once; memory is 4 bytes x ``chunk_size`` x N, on a GPU 8.
        device: Where to compute; default the device of ``query_features``.
        query_images: ``(Q,)`` integer image ids; needed for ``cross_image_only``.
        gallery_images: ``(N,)`` integer image ids; likewise.
        cross_image_only: Leave gallery entries of the query's own image out of its ranking.
        progress: Show a bar.
        refinements: Change the scores before the ranks are counted, one after the other.

    Returns:
        In percent ``R{k}`` for each k, ``mAP`` (standard), ``mAP_trapz`` (trapezoid rule) and
        ``mINP``, averaged over the queries that have a positive; and the counts ``num_queries``,
        ``num_gallery``, ``num_unmatched`` (queries without a positive).

    Raises:
        ValueError: Shapes, lengths or types do not fit, something is empty, a feature is not
            finite, or no query at all has a positive.

    Example:
        >>> gallery = torch.eye(3)
        >>> result = evaluate_ranking(gallery[:2], [7, 8], gallery, [7, 9, 8])
        >>> result['R1'], result['mAP'], result['mINP']
        (50.0, 66.66666666666666, 66.66666666666666)
    """
    queries = unit_features('query_features', query_features, device)
    gallery = unit_features('gallery_features', gallery_features, device or queries.device)
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError('query_features and gallery_features must have the same width, got '
                         f'{queries.shape[1]} and {gallery.shape[1]}')
    query_ids = integers('query_ids', query_ids, len(queries), queries.device)
    gallery_ids = integers('gallery_ids', gallery_ids, len(gallery), queries.device)
    images = None
    if cross_image_only:
        images = (integers('query_images', query_images, len(queries), queries.device),
                  integers('gallery_images', gallery_images, len(gallery), queries.device))
    return measure_ranking(queries, query_ids, gallery_ids, images, lambda span: gallery,
                           [slice(0, len(gallery))], topk, chunk_size, progress, refinements)


def measure_ranking(queries: Tensor,
                    query_ids: Tensor,
                    gallery_ids: Tensor,
                    images: tuple[Tensor, Tensor] | None,
                    load: Callable[[slice], Tensor],
                    spans: Sequence[slice],
                    topk: Sequence[int],
                    chunk_size: int,
                    progress: bool,
                    refinements: Sequence[Refinement] = ()) -> dict[str, float | int]:
    """Measure as :func:`evaluate_ranking` does, with a gallery in parts and inputs in one form.

    Args:
        queries: ``(Q, D)`` float32, of length 1.
        query_ids: ``(Q,)``.
        gallery_ids: ``(N,)``.
        images: ``(Q,)`` and ``(N,)`` image ids, for ``cross_image_only``.
        load: Gives the ``(n, D)`` entries at a span of the gallery, float32, of length 1.
        spans: Cut the gallery into parts, in order.
        topk: The k of ``R{k}``.
        chunk_size: Queries scored at once.
        progress: Show a bar.
        refinements: As :func:`evaluate_ranking`; they need the gallery as one part.

    Returns:
        As :func:`evaluate_ranking`.

    Raises:
        BadValue: ``topk`` or ``chunk_size`` is not positive, or no query has a positive.
    """
    if not topk or min(topk) < 1 or chunk_size < 1:
        raise BadValue(f'topk and chunk_size must be positive, got {topk} and {chunk_size}')
    chunks = split_queries(queries, query_ids, gallery_ids, chunk_size, images)
    if refinements:
        _refine(chunks, queries, refinements, load, spans)
    accumulate_ranks(chunks, load, spans, progress)
    measures = torch.cat([_measure(chunk.ranks(), topk) for chunk in chunks])
    if not len(measures):
        raise BadValue(f'none of the {len(queries)} queries has a positive among the '
                       f'{len(gallery_ids)} gallery entries; do both use the same person ids?')
    names = [*(f'R{k}' for k in topk), 'mAP', 'mAP_trapz', 'mINP']
    means = (100 * measures.mean(0)).tolist()
    return dict(zip(names, means, strict=True), num_queries=len(queries),
                num_gallery=len(gallery_ids), num_unmatched=len(queries) - len(measures))


def _refine(chunks: Sequence[QueryChunk], queries: Tensor, refinements: Sequence[Refinement],
            load: Callable[[slice], Tensor], spans: Sequence[slice]) -> None:
    """Let refinements change the scores of all chunks."""
    if len(spans) > 1:
        raise BadValue(f'{refinements[0]} needs the whole gallery at once; it came in '
                       f'{len(spans)} parts, as with distractors')
    gallery = load(spans[0])
    for refinement in refinements:
        refinement.prepare(queries, gallery)
    for chunk in chunks:
        chunk.refinements = refinements


def _measure(ranks: Tensor, topk: Sequence[int]) -> Tensor:
    """Compute ``(M, len(topk) + 3)`` measures of the M queries with a positive."""
    ranks = ranks[ranks[:, 0].isfinite()]
    return torch.stack([*(recall_at(ranks, k) for k in topk),
                        average_precision(ranks),
                        trapezoid_average_precision(ranks),
                        inverse_negative_penalty(ranks)], dim=1)


def unit_features(name: str, features: Array, device: str | torch.device | None) -> Tensor:
    """Bring features to ``(rows, width)`` float32 of length 1, whatever their scale.

    A row of zeros points nowhere and stays as it is, with a warning.

    Raises:
        BadValue: It is no matrix of real numbers, is empty, or a value is not finite; the message
            gives ``name``.
    """
    features = torch.as_tensor(features).detach().to(device)
    if features.ndim != 2 or not features.numel() or features.is_complex():
        raise BadValue(f'{name} must be a non-empty (rows, width) matrix of real numbers, got '
                       f'{features.dtype} of shape {tuple(features.shape)}')
    features = features if features.dtype == torch.float64 else features.float()
    largest = features.abs().amax(1, keepdim=True)  # NaN and infinity among them
    if broken := (~largest.isfinite()).flatten().nonzero().flatten().tolist():
        raise BadValue(f'{name}: {len(broken)} rows hold NaN or infinity, the first is row '
                       f'{broken[0]}; did the training diverge?')
    if zero := (largest == 0).flatten().nonzero().flatten().tolist():
        warnings.warn(f'{name}: {len(zero)} rows are zero and point nowhere, the first is row '
                      f'{zero[0]}: their ranks mean nothing', stacklevel=2)
    # Squares of these would not fit float32.
    odd = ((largest < _SMALL) | (largest > _LARGE)) & (largest > 0)
    return F.normalize(torch.where(odd, features / largest, features).float(), dim=1)


def integers(name: str, values: Array | None, count: int,
             device: str | torch.device | None) -> Tensor:
    """Bring ids to ``(count,)`` int64.

    Raises:
        BadValue: They are no integers, or their number is another; the message gives ``name``.
    """
    if values is None:
        raise BadValue(f'cross_image_only needs {name}')
    try:
        ids = torch.as_tensor(values, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadValue(f'{name} must be integers: {error}') from error
    if ids.is_floating_point() or ids.is_complex():
        raise BadValue(f'{name} must be integers, got {ids.dtype}')
    if ids.shape != (count,):
        raise BadValue(f'{name} must hold one id for each of the {count} features, '
                       f'got shape {tuple(ids.shape)}')
    return ids.long()
