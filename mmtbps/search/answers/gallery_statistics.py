"""Statistics of a gallery's features, by which a query knows its scores for strangers.

Mean and second moment are kept in the folder of the gallery, for the state of its files at that
moment: a gallery that has changed is looked through again. No feature of anybody is in them, but
they were reckoned with everybody, so `forget_statistics` goes with a removal.
"""

import contextlib
import heapq
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mmtbps.evaluation.presence.evidence import gallery_moments
from mmtbps.fileio import DiskFull, why_no_file, write_durably

from ..galleries.base import BaseGallery

__all__ = ['STATISTICS_FILE', 'GalleryStatistics', 'find_statistics', 'forget_statistics']

STATISTICS_FILE = 'statistics.safetensors'
#: Files of a gallery's folder that say nothing of its entries.
_BESIDE = frozenset({STATISTICS_FILE, f'{STATISTICS_FILE}.partial', 'origin.json', '.lock',
                     'phrases.json', 'presence.json'})
#: Of a larger gallery so many entries are looked at, always the same ones.
MOST_ENTRIES = 100_000
_AT_A_TIME = 2000
#: Of the galleries that are open in this process.
_found: WeakKeyDictionary[BaseGallery, 'GalleryStatistics'] = WeakKeyDictionary()


@dataclass(frozen=True)
class GalleryStatistics:
    """Moments of the features of a gallery.

    Args:
        count: Entries of the gallery.
        mean: ``(D,)`` float64.
        second: ``(D, D)`` float64, mean of the outer products.
        state: Of the gallery's files when it was looked through; empty where it cannot be told.
    """

    count: int
    mean: np.ndarray
    second: np.ndarray
    state: str = ''


def find_statistics(gallery: BaseGallery) -> GalleryStatistics:
    """Find the statistics of a gallery, which are the same object until it changes.

    Args:
        gallery: With at least one entry.
    """
    state = _state(gallery)
    known = _found.get(gallery)
    if known is None or known.state != state:
        known = _found[gallery] = _read_or_look_through(gallery, state)
    return known


def _read_or_look_through(gallery: BaseGallery, state: str) -> GalleryStatistics:
    file = None if '://' in gallery.uri else Path(gallery.uri, STATISTICS_FILE)
    if file is not None and (kept := _read(file, gallery.dim)) is not None and kept.state == state:
        return kept
    found = _look_through(gallery, state)
    if file is not None:
        # A gallery may be open to readers alone; then each looks through it once.
        with contextlib.suppress(OSError, DiskFull):
            _write(file, found)
    return found


def forget_statistics(uri: str) -> None:
    """Remove the statistics that are kept of a gallery.

    Args:
        uri: Of the gallery; one on a server keeps none.
    """
    if '://' not in uri:
        with contextlib.suppress(OSError):
            Path(uri, STATISTICS_FILE).unlink(missing_ok=True)


def _state(gallery: BaseGallery) -> str:
    """Say what state a gallery is in: entries, and number and latest change of its files."""
    changes = []
    if '://' not in gallery.uri:
        for parent, _, names in os.walk(gallery.uri):
            for name in names:
                if name not in _BESIDE:
                    with contextlib.suppress(FileNotFoundError):  # it is written to right now
                        changes.append(os.stat(os.path.join(parent, name)).st_mtime_ns)
    return json.dumps([gallery.count(), len(changes), max(changes, default=0)])


def _look_through(gallery: BaseGallery, state: str) -> GalleryStatistics:
    # One more, to see whether there are more: no more ids than that are ever held.
    ids = heapq.nsmallest(MOST_ENTRIES + 1, (entry.id for entry in gallery.entries()),
                          key=lambda key: zlib.crc32(key.encode()))
    count = len(ids) if len(ids) <= MOST_ENTRIES else gallery.count()
    ids = ids[:MOST_ENTRIES]
    mean, second = np.zeros(gallery.dim), np.zeros((gallery.dim, gallery.dim))
    for start in range(0, len(ids), _AT_A_TIME):
        _, vectors = gallery.get(ids[start:start + _AT_A_TIME])
        part_mean, part_second = gallery_moments(vectors)
        mean += len(vectors) / len(ids) * part_mean
        second += len(vectors) / len(ids) * part_second
    return GalleryStatistics(count, mean, second, state)


def _write(file: Path, found: GalleryStatistics) -> None:
    values = dict(mean=found.mean, second=found.second)
    known = dict(count=str(found.count), state=found.state)
    write_durably(file, lambda to: save_file(values, to, metadata=known))


def _read(file: Path, dim: int) -> GalleryStatistics | None:
    """Read what is kept; what is damaged is made anew."""
    try:
        if not file.is_file() or why_no_file(file, ''):
            return None
        with safe_open(file, 'numpy') as opened:
            known = opened.metadata() or {}
            mean, second = opened.get_tensor('mean'), opened.get_tensor('second')
        if mean.shape != (dim, ) or second.shape != (dim, dim) or not (
                np.isfinite(mean).all() and np.isfinite(second).all()):
            return None
        return GalleryStatistics(int(known['count']), mean, second, known['state'])
    except (KeyError, OSError, SafetensorError, TypeError, ValueError):
        return None
