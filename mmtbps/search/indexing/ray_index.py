"""Indexing by the actors of a cluster, each with the model, the detector and the gallery."""

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.clusters import RayPool, check_shared, lost_items
from mmtbps.clusters.lost_work import ClusterError
from mmtbps.clusters.ray_pool import LOST
from mmtbps.errors import BadValue
from mmtbps.fileio import append_json_lines

from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.factory import SERVERS
from .file_run import FileRun, IndexParts
from .index import IndexPlan
from .metadata import Metadata
from .options import IndexOptions
from .progress import IndexProgress
from .report import IndexReport
from .selection import FileSelection

__all__ = ['DeferredWrites', 'RayIndexing', 'cut_batches', 'is_written_by_all']

#: Batches for each actor, so that none waits long for another's last.
_BATCHES_EACH = 4
#: A file with its row of metadata.
_Item = tuple[str, Metadata | None]


def is_written_by_all(uri: str) -> bool:
    """Tell whether many processes may write a gallery; else the one that began the run does.

    Those of one machine lock a folder that is kept in memory, and LanceDB in an object store.

    Example:
        >>> is_written_by_all('postgresql://db/cams/people'), is_written_by_all('s3://b/a.lance')
        (True, False)
    """
    scheme, is_elsewhere, _ = uri.partition('://')
    return scheme in SERVERS if is_elsewhere else uri.rstrip('/').endswith('.lance')


class DeferredWrites:
    """Gallery that is read, and whose writes are kept for the process that may write.

    Args:
        gallery: Open.

    Attributes:
        writes: Name of a method of `BaseGallery` and its arguments, in order.
    """

    def __init__(self, gallery: BaseGallery) -> None:
        self.gallery = gallery
        self.writes: list[tuple[str, tuple]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.gallery, name)

    def upsert(self, entries: Sequence[GalleryEntry], vectors: np.ndarray) -> None:
        """Keep what is to be stored."""
        self.writes.append(('upsert', (list(entries), vectors)))

    def delete(self, ids: Sequence[str]) -> int:
        """Keep what is to be removed, and count what there is of it."""
        self.writes.append(('delete', (list(ids), )))
        return len(self.gallery.find(ids))


@dataclass
class _Outcome:
    """Account of a batch, with what its process leaves to the one that began the run."""

    report: IndexReport
    writes: list[tuple[str, tuple]] = field(default_factory=list)
    log: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Maker:
    """Maker of the work of an actor."""

    open_parts: Callable[[], IndexParts]
    selection: FileSelection
    options: IndexOptions
    deferred: bool

    def __call__(self) -> Callable[[Sequence[_Item]], _Outcome]:
        check_shared(self.selection.root)
        parts = self.open_parts()
        return lambda items: self.take(parts, items)

    def take(self, parts: IndexParts, items: Sequence[_Item]) -> _Outcome:
        """Take the files of a batch, as one process takes all of them."""
        if self.deferred:
            parts = replace(parts, gallery=DeferredWrites(parts.gallery))
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, 'log.jsonl')
            options = replace(self.options, log=log, only=None, prune=False)
            run = FileRun(self.selection, parts, {path: row for path, row in items if row},
                          options)
            if self.deferred:
                run.writer.begins = run.writer.begun = None
            report = run.take([self.selection.root / path for path, _ in items],
                              IndexProgress(len(items), shown=False))
            lines = log.read_text(encoding='utf-8').splitlines() if log.exists() else []
        return _Outcome(report, getattr(parts.gallery, 'writes', []),
                        [json.loads(line) for line in lines])


class RayIndexing:
    """Sharer of the files of an index run among the actors of a cluster.

    A batch whose actor or machine dies is taken again: its entries have the same ids, so that
    nothing is there twice. A file that ends its process three times, alone, is skipped. Where only
    one process may write, see `is_written_by_all`, it is the one that calls.

    Args:
        pool: Entered.
        open_parts: Called once in each actor; to be pickled.
    """

    def __init__(self, pool: RayPool, open_parts: Callable[[], IndexParts]) -> None:
        self.pool = pool
        self.open_parts = open_parts

    def __call__(self, plan: IndexPlan) -> Iterator[tuple[int, IndexReport]]:
        """Yield the number of files done, with their account, batch by batch."""
        parts = plan.parts
        if parts.captions is not None and not parts.captions.source.of_people:
            raise BadValue('captions of a file are looked up in one process: leave --ray out, or '
                           'take a model as the captioner')
        deferred = not is_written_by_all(parts.gallery.uri)
        options = replace(plan.options, images=os.fspath(plan.selection.root), log=None)
        maker = _Maker(self.open_parts, replace(plan.selection, only=None), options, deferred)
        results = self.pool.run(maker, cut_batches(plan.files, options, self.pool.actors))

        def skip(item: _Item) -> None:
            plan.skip(item[0], LOST)

        return self._take_in(plan, lost_items(results, skip))

    def _take_in(self, plan: IndexPlan, results: Iterable[tuple[Sequence[_Item], _Outcome]]
                 ) -> Iterator[tuple[int, IndexReport]]:
        checked = noted = False
        stored = 0
        for items, outcome in results:
            if outcome.writes and not checked:
                plan.check()
                checked = True
            for method, arguments in outcome.writes:
                getattr(plan.parts.gallery, method)(*arguments)
            if outcome.report.indexed and not noted:
                plan.note()
                noted = True
            if plan.options.log is not None and outcome.log:
                append_json_lines(plan.options.log, outcome.log)
            stored += outcome.report.indexed
            yield len(items), outcome.report
        # Each machine would fill a gallery of its own, and no error would tell.
        if (count := plan.parts.gallery.count()) < stored:
            raise ClusterError(
                f'{plan.parts.gallery.uri} holds {count} of the {stored} entries that were stored '
                'in it: do all machines of the cluster see it at this path? Take a server or a '
                'disk that they share, and index again')


def cut_batches(files: Sequence[_Item], options: IndexOptions, actors: int
                ) -> list[Sequence[_Item]]:
    """Cut files into batches: as many as are stored at once, or fewer, so that all have some.

    Args:
        files: Of the run.
        options: Of the run.
        actors: That share them.

    Example:
        >>> files = [(f'{i}.jpg', None) for i in range(300)]
        >>> [len(batch) for batch in cut_batches(files, IndexOptions(), 1)]
        [75, 75, 75, 75]
    """
    size = min(options.commit_every, max(options.batch_size, math.ceil(
        len(files) / (_BATCHES_EACH * max(actors, 1)))))
    return [files[start:start + size] for start in range(0, len(files), size)]
