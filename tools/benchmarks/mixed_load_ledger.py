"""Ledger of a mixed load: what was written when, and so which answers of a gallery can be right.

Entries are written, replaced and removed by whole batches. A process notes a line before each call
and one after it, by the clock that all processes share. An answer is right if every batch is in it
as it was at some moment of the search: as its last call before the search has left it, or as one
left it that went on meanwhile; all of the batch, or nothing.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmtbps.search.galleries import GalleryEntry, Hit

__all__ = ['BATCH', 'CAMERAS', 'DIM', 'FINGERPRINT', 'Change', 'Ledger', 'LedgerFile',
           'WrongAnswer', 'batch_of', 'features_of']

BATCH, DIM, CAMERAS = 20, 64, 5
FINGERPRINT = dict(model='1' * 64, pipeline='2' * 64, dim=DIM)
_ROUNDING = 2e-5
_GONE = -1


class WrongAnswer(AssertionError):
    """An answer that a gallery cannot have given if it keeps what it was given."""


class Change(NamedTuple):
    """One call on a batch: it is then of this revision, -1 for removed."""

    batch: str
    revision: int
    begun: float
    done: float | None = None


def features_of(batch: str, revision: int) -> np.ndarray:
    """Draw the ``(BATCH, DIM)`` unit features of a batch, others for each revision."""
    draw = np.random.default_rng([*batch.encode(), revision])
    features = draw.standard_normal((BATCH, DIM), np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def batch_of(batch: str, revision: int) -> tuple[list[GalleryEntry], np.ndarray]:
    """Make entries and features of a batch; every camera has as many of them."""
    entries = [GalleryEntry(f'{batch}/{i}', f'{batch}/{i}.jpg', 1_000, f'{i:064x}',
                            camera=f'c{i % CAMERAS}', time=float(i), frame=revision,
                            extra={'batch': batch}) for i in range(BATCH)]
    return entries, features_of(batch, revision)


class LedgerFile:
    """Notes of one process, a line before each call and one after it."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @contextmanager
    def noted(self, batches: Sequence[str], revision: int) -> Iterator[None]:
        """Note that a call on some batches begins, and that it was acknowledged."""
        self._note('begun', batches, revision)
        yield
        self._note('done', batches, revision)

    def _note(self, what: str, batches: Sequence[str], revision: int) -> None:
        now = repr(time.monotonic())
        os.write(self.file, ''.join(f'{now} {what} {batch} {revision}\n'
                                    for batch in batches).encode())


class Ledger:
    """Calls of all processes, as far as an answer may still depend on them.

    Args:
        paths: Of the notes; those of the process that removes come before those that write, so that
            no batch is read after it went.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.places = dict.fromkeys(paths, 0)
        self.history: dict[str, list[Change]] = {}
        self.features: dict[tuple[str, int], np.ndarray] = {}

    def read(self) -> None:
        """Read what was noted since."""
        lines = [line.split() for path in self.places for line in self._new_lines(path)]
        for now, what, batch, revision in sorted(lines, key=lambda line: float(line[0])):
            calls = self.history.setdefault(batch, [])
            if what == 'begun':
                calls.append(Change(batch, int(revision), float(now)))
            else:
                calls[-1] = calls[-1]._replace(done=float(now))

    def possible(self, batch: str, begin: float, end: float) -> set[int]:
        """Find the revisions that a batch may have in an answer of a time; -1 for none."""
        calls = self.history.get(batch, [])
        last = _last_done(calls, begin)
        return {calls[last].revision if last >= 0 else _GONE,
                *(call.revision for call in calls[last + 1:] if call.begun <= end)}

    def standing(self) -> dict[str, int]:
        """List the batches whose last call was acknowledged and left them there."""
        return {batch: calls[-1].revision for batch, calls in self.history.items()
                if calls and calls[-1].done is not None and calls[-1].revision != _GONE}

    def check(self, hits: Sequence[Hit], query: np.ndarray, topk: int, begin: float, end: float,
              camera: int | None = None) -> None:
        """Check the answer to a search of all, or of one camera.

        Args:
            hits: Best first.
            query: ``(DIM, )``.
            topk: That was asked for.
            begin: When the search began.
            end: When it was over; what was noted until then was read.
            camera: That was searched in.

        Raises:
            WrongAnswer: Something is lost, half there, there again or not what was stored.
        """
        seen: dict[str, dict[int, Hit]] = {}
        for hit in hits:
            batch, _, number = hit.entry.id.rpartition('/')
            if int(number) in seen.setdefault(batch, {}):
                raise WrongAnswer(f'{hit.entry.id} came twice')
            seen[batch][int(number)] = hit
        worst = hits[-1].score if len(hits) == topk else -np.inf
        for batch in self.history.keys() | seen.keys():
            revisions = self.possible(batch, begin, end)
            found = seen.get(batch, {})
            if not any(self._is_all(found, batch, revision, query, worst, camera)
                       for revision in revisions):
                raise WrongAnswer(
                    f'of {batch} came {sorted((i, hit.entry.frame) for i, hit in found.items())} '
                    f'of {BATCH} and its revision can only be {sorted(revisions)}, of '
                    f'{self.history.get(batch)}; search from {begin} to {end}')

    def forget(self, before: float) -> None:
        """Forget what no search that begins later depends on."""
        for batch, calls in list(self.history.items()):
            last = max(_last_done(calls, before), 0)
            del calls[:last]
            if len(calls) == 1 and calls[0].revision == _GONE and calls[0].done is not None \
                    and calls[0].done <= before:
                del self.history[batch]
        known = {(batch, call.revision) for batch, calls in self.history.items()
                 for call in calls}
        self.features = {key: rows for key, rows in self.features.items() if key in known}

    def _is_all(self, found: dict[int, Hit], batch: str, revision: int, query: np.ndarray,
                worst: float, camera: int | None) -> bool:
        """Tell whether what was found of a batch is what its revision must give."""
        if revision == _GONE:
            return not found
        if (batch, revision) not in self.features:
            self.features[batch, revision] = features_of(batch, revision)
        scores = self.features[batch, revision] @ query
        asked = np.arange(BATCH) % CAMERAS == camera if camera is not None else np.full(BATCH, True)
        must = np.flatnonzero(asked & (scores > worst + _ROUNDING))
        return set(must) <= found.keys() and all(
            asked[i] and hit.entry.frame == revision and abs(hit.score - scores[i]) < _ROUNDING
            for i, hit in found.items())

    def _new_lines(self, path: Path) -> list[str]:
        if not path.exists():
            return []
        with path.open('rb') as file:
            file.seek(self.places[path])
            text = file.read()
        whole = text.rpartition(b'\n')[0]
        self.places[path] += len(whole) + bool(whole)
        return whole.decode().splitlines()


def _last_done(calls: list[Change], before: float) -> int:
    """Find the last call that was over at a time; -1 if none was."""
    return max((i for i, call in enumerate(calls) if call.done is not None
                and call.done <= before), default=-1)


