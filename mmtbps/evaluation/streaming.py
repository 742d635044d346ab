"""Evaluation with galleries that exceed the memory: a million distractors, streamed from disk."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmtbps.errors import BadValue

from .ranking import Array, integers, measure_ranking, unit_features
from .refinement import Refinement

__all__ = ['FeatureFile', 'GalleryPart', 'evaluate_streamed', 'open_features']

PART_SIZE = 65536  # entries scored at once


class GalleryPart(NamedTuple):
    """Some entries of a gallery, in gallery order.

    Attributes:
        features: ``(n, D)``; anything that has a ``shape`` and gives rows at a slice: an array, a
            tensor, a memory-mapped array, a :class:`FeatureFile`.
        ids: ``(n,)`` person ids; None for distractors, who are nobody that a query asks for.
        images: ``(n,)`` image ids, for ``cross_image_only``; None likewise.
    """

    features: Array
    ids: Array | None = None
    images: Array | None = None


@dataclass(frozen=True)
class FeatureFile:
    """A matrix in a ``.npy`` or ``.safetensors`` file, of which only slices are read.

    The file is mapped into memory for each slice anew, so what was read is given back. Nothing
    is ever unpickled.

    Attributes:
        path: The file.
        shape: Rows and width of the matrix.
    """

    path: Path
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        if self.path.suffix == '.npy':
            return torch.from_numpy(_map_array(self.path)[rows])
        with _open_tensors(self.path) as tensors:
            return tensors.get_slice('features')[rows]

    def __str__(self) -> str:
        return str(self.path)


def open_features(folder: str | Path) -> list[GalleryPart]:
    """Open the feature files of a folder as parts of a gallery, in the order of their names.

    A ``.npy`` file holds the ``(n, D)`` features of distractors. A ``.safetensors`` file holds
    ``features``, and may hold ``ids`` and ``images``.

    Args:
        folder: Holds the files; others in it are not looked at.

    Raises:
        BadValue: It has no such file, or a file holds no matrix; the message names it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, 'part_000.npy'), -np.eye(3, dtype='float16')[:2])
        ...     distractors = open_features(folder)
        ...     result = evaluate_streamed(torch.eye(3), [7, 8, 9],
        ...                                [(torch.eye(3), [7, 9, 8]), *distractors])
        >>> result['num_gallery'], result['R1']
        (5, 33.33333333333333)
    """
    paths = sorted(path for path in Path(folder).glob('*')
                   if path.suffix in ('.npy', '.safetensors'))
    if not paths:
        raise BadValue(f'{folder} holds no .npy or .safetensors file of features')
    return [_open_part(path) for path in paths]


@torch.no_grad()
def evaluate_streamed(query_features: Array,
                      query_ids: Array,
                      gallery: Sequence[GalleryPart | tuple],
                      topk: Sequence[int] = (1, 5, 10),
                      chunk_size: int = 1024,
                      part_size: int = PART_SIZE,
                      device: str | torch.device | None = None,
                      query_images: Array | None = None,
                      cross_image_only: bool = False,
                      progress: bool = False,
                      refinements: Sequence[Refinement] = ()) -> dict[str, float | int]:
    """Measure as :func:`~mmtbps.evaluation.evaluate_ranking`, reading the gallery part by part.

    The numbers are those of the joined gallery, ties included: what stands before a positive is
    added up over the parts. Memory is 4 bytes x ``chunk_size`` x ``part_size`` (8 on a GPU), a
    part's features three times in float32, the queries, and 8 bytes an entry for the ids. Parts
    without a query's person are read once; parts with one, but for the last of them, twice. It
    does not resume: a million entries take minutes.

    Args:
        query_features: ``(Q, D)``, any scale and float type.
        query_ids: ``(Q,)`` integer person ids.
        gallery: :class:`GalleryPart` or tuples like it, e.g. ``[(features, ids),
            *open_features(folder)]``.
        topk: The k of ``R{k}``.
        chunk_size: Queries scored at once.
        part_size: Entries scored at once; larger parts are cut.
        device: Where to compute; default the device of ``query_features``.
        query_images: ``(Q,)`` integer image ids; needed for ``cross_image_only``.
        cross_image_only: Leave gallery entries of the query's own image out of its ranking.
        progress: Show a bar.
        refinements: As there; they need the gallery in one part.

    Returns:
        As :func:`~mmtbps.evaluation.evaluate_ranking`.

    Raises:
        ValueError: As there; the message names the part or its file, and its rows.
    """
    queries = unit_features('query_features', query_features, device)
    query_ids = integers('query_ids', query_ids, len(queries), queries.device)
    if part_size < 1:
        raise ValueError(f'part_size must be positive, got {part_size}')
    parts = _Parts(gallery, queries)
    images = None
    if cross_image_only:
        query_images = integers('query_images', query_images, len(queries), queries.device)
        images = query_images, parts.join('images', query_images)
    return measure_ranking(queries, query_ids, parts.join('ids', query_ids), images, parts.load,
                           parts.spans(part_size), topk, chunk_size, progress, refinements)


class _Parts:
    """The parts of a gallery, found by their place in the whole."""

    def __init__(self, gallery: Sequence[GalleryPart | tuple], queries: Tensor):
        self.parts, self.device = [GalleryPart(*part) for part in gallery], queries.device
        if not self.parts:
            raise ValueError('the gallery has no part')
        self.names = [str(part.features) if isinstance(part.features, FeatureFile)
                      else f'gallery part {number}' for number, part in enumerate(self.parts)]
        for name, part in zip(self.names, self.parts, strict=True):
            shape = tuple(part.features.shape)
            if len(shape) != 2 or not shape[0] or shape[1] != queries.shape[1]:
                raise BadValue(f'{name} must hold rows as wide as the queries, '
                               f'{queries.shape[1]}; got shape {shape}')
        self.starts = list(accumulate((len(part.features) for part in self.parts), initial=0))

    def join(self, field: str, asked: Tensor) -> Tensor:
        """Return ``(N,)`` ids of the whole gallery; a part without has one nobody asks for."""
        joined = []
        for name, part in zip(self.names, self.parts, strict=True):
            count, ids = len(part.features), getattr(part, field)
            if ids is None and part.ids is None:
                joined.append((asked.min() - 1).expand(count))
            else:
                joined.append(integers(f'{field} of {name}', ids, count, self.device))
        return torch.cat(joined)

    def spans(self, size: int) -> list[slice]:
        """Return all parts, cut into pieces of at most ``size`` entries."""
        return [slice(start, min(start + size, stop))
                for begin, stop in pairwise(self.starts) for start in range(begin, stop, size)]

    def load(self, span: slice) -> Tensor:
        """Read the ``(n, D)`` entries at a span, brought to length 1."""
        number = bisect_right(self.starts, span.start) - 1
        begin = self.starts[number]
        rows = slice(span.start - begin, span.stop - begin)
        return unit_features(f'{self.names[number]}[{rows.start}:{rows.stop}]',
                             self.parts[number].features[rows], self.device)


def _open_part(path: Path) -> GalleryPart:
    try:
        if path.suffix == '.npy':
            return GalleryPart(FeatureFile(path, _map_array(path).shape))
        with _open_tensors(path) as tensors:
            shape = tuple(tensors.get_slice('features').get_shape())
            ids, images = (tensors.get_tensor(key) if key in tensors.keys() else None
                           for key in ('ids', 'images'))
            return GalleryPart(FeatureFile(path, shape), ids, images)
    except (ValueError, OSError, EOFError, SafetensorError) as error:
        raise BadValue(f'{path} cannot be read as features: {error}') from error


def _map_array(path: Path) -> np.ndarray:
    # Mode 'c' keeps changes to itself, and torch takes only arrays that it might write to.
    return np.load(path, mmap_mode='c', allow_pickle=False)


def _open_tensors(path: Path) -> safe_open:
    with open(path, 'rb'):  # safetensors would call a file missing that may not be read
        pass
    return safe_open(path, framework='pt')
