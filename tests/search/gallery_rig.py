"""People, filters and a slow gallery, for the tests of galleries."""

import sys
from pathlib import Path

import numpy as np
from gallery_process import DIM, FINGERPRINT

from mmtbps.search.galleries import GalleryEntry

OTHER_FINGERPRINT = dict(FINGERPRINT, model='9' * 64)
# None of these may mean anything but itself.
WEIRD = ["c1' OR '1'='1", '" or id != "', 'a\\', '\\"', '\\n', 'new\nline', 'tab\tand\rreturn',
         '100%', '100_', '%', '', ' ', '外套 рыба 🧥', '`tick`', '["coat", "red"]', '{v}', '--',
         'null', '1', "''", "it''s", 'x' * 300]
FILTERS = [
    {'camera': 'c1'}, {'camera': ['c0', 'c2']}, {'camera': 'none such'}, {'track': 't3'},
    {'path': ['street/17.jpg', 'street/18.jpg', 'gone.jpg']}, {'frame': 7}, {'frame': [7, 8, 900]},
    {'frame': (5, 9)}, {'frame': (100, None)}, {'frame': (None, 3)}, {'time': (1.7e9, 1.7e9 + 30)},
    {'time': (None, 1.7e9 + 12.5)}, {'time': (1.7e9 + 12.5, 1.7e9 + 12.5)},
    {'time': 1.7e9 + 12.5}, {'time': [1.7e9 + 12.5, 1.7e9 + 15]}, {'time': (5., 6.)},
    {'coat': 'red'}, {'coat': ['red', 'blue']}, {'coat': 'gree'}, {'外套.2': 'r'},
    {'camera': ['c0', 'c1'], 'time': (1.7e9, 1.7e9 + 100), 'coat': 'green', 'frame': (0, 90)}]


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def draw_people(numbers, seed=0):
    """Entries and features; with most things known of most of them."""
    draw = np.random.default_rng([seed, *numbers])
    entries = [GalleryEntry(
        id=f'street/{i}.jpg#0', path=f'street/{i}.jpg', size=100 + i, sha256=f'{i:064x}',
        camera=None if i % 7 == 6 else f'c{i % 4}', time=None if i % 5 == 4 else 1.7e9 + 2.5 * i,
        track=f't{i % 9}' if i % 2 else None, frame=i if i % 3 else None,
        box=(i, 2, i + 30, 90) if i % 4 else None,
        extra={} if i % 6 == 5 else {'coat': ('red', 'green', 'blue')[i % 3],
                                     '外套.2': 'r' if i % 2 else 'b'})
        for i in numbers]
    return entries, unit(draw.normal(size=(len(entries), DIM)))


class SlowGallery:
    """The same interface, as plainly as can be."""

    def __init__(self):
        self.rows = {}

    def upsert(self, entries, vectors):
        for entry, vector in zip(entries, vectors, strict=True):
            self.rows[entry.id] = entry, vector

    def delete(self, ids=None, where=None):
        gone = [key for key in self.rows
                if (key in ids if where is None else self.passes(self.rows[key][0], where))]
        for key in gone:
            del self.rows[key]
        return len(gone)

    def entries(self, where=None):
        return [entry for entry, _ in self.rows.values() if self.passes(entry, where)]

    def count(self, where=None):
        return len(self.entries(where))

    def search(self, vectors, topk=10, where=None):
        answers = []
        for query in vectors:
            scored = [(sum(float(a) * float(b) for a, b in zip(query, vector, strict=True)), entry)
                      for entry, vector in self.rows.values() if self.passes(entry, where)]
            answers.append(sorted(scored, key=lambda pair: -pair[0])[:topk])
        return answers

    @staticmethod
    def passes(entry, where):
        for key, wanted in (where or {}).items():
            if key in ('camera', 'track', 'path', 'time', 'frame'):
                value = getattr(entry, key)
            else:
                value = entry.extra.get(key)
            if value is None:
                return False
            if isinstance(wanted, tuple):
                low, high = (wanted[0] is None or wanted[0] <= value,
                             wanted[1] is None or value <= wanted[1])
                if not (low and high):
                    return False
            elif value not in (wanted if isinstance(wanted, list) else [wanted]):
                return False
        return True


def same_state(gallery, slow, queries, filters=(None, *FILTERS)):
    """Assert that a gallery answers everything as the slow one does."""
    for where in filters:
        assert gallery.count(where) == slow.count(where), where
        assert sorted(gallery.entries(where), key=lambda entry: entry.id) == sorted(
            slow.entries(where), key=lambda entry: entry.id), where
        for topk in (1, 10, 1000) if where in filters[:2] else (10,):
            same_answers(gallery.search(queries, topk, where), slow.search(queries, topk, where))
    ids = sorted(slow.rows)[::3]
    entries, vectors = gallery.get(ids)
    assert entries == [slow.rows[key][0] for key in ids]
    np.testing.assert_allclose(vectors, [slow.rows[key][1] for key in ids], atol=1e-6)


def same_answers(found, wanted):
    assert len(found) == len(wanted)
    for hits, pairs in zip(found, wanted, strict=True):
        assert [hit.entry for hit in hits] == [entry for _, entry in pairs]
        np.testing.assert_allclose([hit.score for hit in hits], [score for score, _ in pairs],
                                   atol=1e-5)


def process_command(*arguments):
    """Command line of another process at work on a gallery, see `gallery_process`."""
    return [sys.executable, str(Path(__file__).with_name('gallery_process.py')),
            *map(str, arguments)]
