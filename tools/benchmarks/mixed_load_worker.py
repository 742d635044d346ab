"""One process of a mixed load on a gallery; it goes on until its input is closed.

    python -m benchmarks.mixed_load_worker ROLE URI FOLDER NUMBER ENTRIES PAUSE

Each notes what it does in FOLDER, and prints at its end how often. A wrong answer ends it.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmtbps.search.galleries import BaseGallery, open_gallery

from .mixed_load_ledger import (
    BATCH,
    CAMERAS,
    DIM,
    FINGERPRINT,
    Ledger,
    LedgerFile,
    WrongAnswer,
    batch_of,
)

INDEXERS = 2
#: An indexer replaces one of its last batches; older ones are the deleter's.
_RECENT = 10
_ALL = 16_000


class Worker:
    """A process at work on a gallery.

    Args:
        gallery: It works on.
        folder: Of the notes of all.
        number: Of this process among those of its role.
        entries: That the gallery is to keep.
    """

    def __init__(self, gallery: BaseGallery, folder: Path, number: int, entries: int) -> None:
        self.gallery, self.folder, self.number, self.entries = gallery, folder, number, entries
        self.ledger = Ledger([folder / 'delete-0', *(folder / f'index-{i}'
                                                     for i in range(INDEXERS))])
        self.done: Counter[str] = Counter()
        self.random = random.Random(number)
        self.draw = np.random.default_rng(number)
        self.next, self.revisions = 0, {}
        self.notes: LedgerFile | None = None

    def index(self) -> None:
        """Write a new batch, or each third time one of the last anew."""
        self.notes = self.notes or LedgerFile(self.folder / f'index-{self.number}')
        again = bool(self.revisions) and self.random.random() < 1 / 3
        if again:
            batch = self.random.choice(list(self.revisions))
            self.revisions[batch] += 1
        else:
            batch = f'{self.number}-{self.next}'
            self.next += 1
            self.revisions[batch] = 0
        with self.notes.noted([batch], self.revisions[batch]):
            self.gallery.upsert(*batch_of(batch, self.revisions[batch]))
        self.revisions = dict(list(self.revisions.items())[-_RECENT:])
        self.done['replaced' if again else 'indexed'] += 1

    def delete(self) -> None:
        """Remove some of the older batches, in turn by id and by filter."""
        self.notes = self.notes or LedgerFile(self.folder / 'delete-0')
        self.ledger.read()
        self.ledger.forget(time.monotonic())
        going = []
        for number in range(INDEXERS):
            own = sorted((batch for batch in self.ledger.history
                          if batch.startswith(f'{number}-')),
                         key=lambda batch: int(batch.partition('-')[2]))
            standing = self.ledger.standing()
            # Its last one may not be noted yet.
            old = [batch for batch in own[:-_RECENT - 1] if batch in standing]
            surplus = len(own) - self.entries // BATCH // INDEXERS
            going += self.random.sample(old, min(max(surplus, 0), len(old)))
        if not going:
            return
        with self.notes.noted(going, -1):
            if self.done['deletions'] % 2:
                count = self.gallery.delete(where={'batch': going})
            else:
                count = self.gallery.delete([f'{batch}/{i}' for batch in going
                                             for i in range(BATCH)])
        if count != BATCH * len(going):
            raise WrongAnswer(f'{count} entries went of {len(going)} batches: {going}')
        self.done.update(deletions=1, deleted=len(going))

    def search(self) -> None:
        """Search for some, of all or of one camera, or for all there is; check the answer."""
        query = self.draw.standard_normal(DIM, np.float32)
        query /= np.linalg.norm(query)
        camera = self.random.choice([None, self.random.randrange(CAMERAS)])
        topk = self.random.choice([10, 10, 10, _ALL])
        self.ledger.read()
        where = None if camera is None or not self.ledger.standing() else {
            'camera': f'c{camera}'}
        begin = time.monotonic()
        hits = self.gallery.search(query[None], topk, where)[0]
        end = time.monotonic()
        self.ledger.read()
        self.ledger.check(hits, query, topk, begin, end, camera if where else None)
        self.ledger.forget(begin)
        self.done.update(searches=1, hits=len(hits))

    def get(self) -> None:
        """Compare the features of a batch that was acknowledged with those it was given."""
        self.ledger.read()
        if not (standing := self.ledger.standing()):
            return
        batch, revision = self.random.choice(list(standing.items()))
        begin = time.monotonic()
        ids = [f'{batch}/{i}' for i in range(BATCH)]
        found = self.gallery.find(ids)
        self.ledger.read()
        possible = self.ledger.possible(batch, begin, time.monotonic())
        seen = {entry.frame for entry in found.values()} if found else {-1}
        if len(found) not in (0, BATCH) or len(seen) > 1 or not seen <= possible:
            raise WrongAnswer(f'{len(found)} entries of {batch}, revisions {seen}; possible are '
                              f'{possible}, noted was {revision}')
        self.done['looked up'] += 1

    def ask(self) -> None:
        """Search, or look a batch up."""
        self.random.choice([self.search, self.search, self.get])()

    def compact(self) -> None:
        """Compact it."""
        if self.gallery.count():
            self.gallery.optimize()
            self.done['compacted'] += 1
            self.done['bytes'] = self.gallery.info()['bytes']


def work(step: Callable[[], None], pause: float) -> None:
    """Do something over and over until the input is closed."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    print('ready', flush=True)
    while not stop.is_set():
        step()
        stop.wait(pause)


if __name__ == '__main__':
    role, uri, folder, number, entries, pause = sys.argv[1:]
    worker = Worker(open_gallery(uri, FINGERPRINT), Path(folder), int(number), int(entries))
    work(getattr(worker, role), float(pause))
    print(json.dumps(worker.done), flush=True)
