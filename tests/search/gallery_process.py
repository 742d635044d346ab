"""Another process at work on a gallery, for tests that kill it or run several.

    python gallery_process.py write URI NAME BATCHES    batches of new and of shared entries
    python gallery_process.py search URI                searches until its input is closed
    python gallery_process.py read URI                  a line of JSON for each entry and its vector
"""

import json
import sys
import threading

import numpy as np

from mmtbps.search.galleries import GalleryEntry, open_gallery

BATCH, DIM = 10, 12
FINGERPRINT = dict(model='1' * 64, pipeline='2' * 64, dim=DIM)


def batch_of(name, number):
    """Entries and features of a batch: its own ones, and some that every batch replaces."""
    ids = [f'{name}-{number}-{i}' for i in range(BATCH)] + [f'shared-{i}' for i in range(5)]
    draw = np.random.default_rng(number)
    vectors = draw.normal(size=(len(ids), DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return ([GalleryEntry(id, f'{id}.jpg', frame=number, extra={'by': name}) for id in ids],
            vectors.astype(np.float32))


def write(uri, name, batches):
    """Upsert batch after batch; a line for each that is safe."""
    gallery = open_gallery(uri, FINGERPRINT)
    print('ready', flush=True)
    for number in range(int(batches)):
        gallery.upsert(*batch_of(name, number))
        print(number, flush=True)


def search(uri):
    """Search until the input ends; then print how often, and the largest count seen."""
    gallery, stop = open_gallery(uri), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    print('ready', flush=True)
    query, searches, largest = np.eye(DIM, dtype=np.float32)[:1], 0, 0
    while not stop.is_set():
        hits = gallery.search(query, topk=100_000)[0]
        ids = [hit.entry.id for hit in hits]
        assert len(set(ids)) == len(ids), 'an entry came twice'
        # No half batch: of every writer, all of a batch or nothing.
        own = [id.rpartition('-')[0] for id in ids if not id.startswith('shared')]
        assert all(own.count(batch) == BATCH for batch in set(own)), 'half a batch'
        assert len(ids) >= largest, 'entries went away'
        searches, largest = searches + 1, len(ids)
    print(searches, largest, flush=True)


def read(uri):
    """Print all that is there."""
    gallery = open_gallery(uri)
    entries, vectors = gallery.get([entry.id for entry in gallery.entries()])
    for entry, vector in zip(entries, vectors, strict=True):
        print(json.dumps([entry.to_json(), vector.tolist()]))


if __name__ == '__main__':
    {'write': write, 'search': search, 'read': read}[sys.argv[1]](*sys.argv[2:])
