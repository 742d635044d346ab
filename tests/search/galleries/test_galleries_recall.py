"""An index finds what an exact search finds; and the benchmark that shows it runs."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmtbps.search.galleries import GalleryEntry, LanceGallery
from mmtbps.search.galleries.filters import read_where

DIM, CAMERA = 64, 3


@pytest.fixture(scope='module')
def drawing():
    """The module that draws hard features."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[3] / 'tools')
        return importlib.import_module('benchmarks.gallery_features')


def entries_of(rows, cameras):
    return [GalleryEntry(str(i), f'{i}.jpg', camera=f'c{i % cameras}') for i in rows]


def rows_found(gallery, queries, where=None):
    return [[int(hit.entry.id) for hit in hits] for hits in gallery.search(queries, 10, where)]


@pytest.mark.slow
def test_recall_of_an_index_with_and_without_filter(drawing, tmp_path):
    pytest.importorskip('lancedb')
    features = drawing.draw_features(25_000, DIM, queries=100, seed=1)
    gallery = LanceGallery(tmp_path / 'people.lance', dict(model='a', dim=DIM))
    for rows in np.array_split(np.arange(24_000), 6):
        gallery.upsert(entries_of(rows, drawing.CAMERAS), features.gallery[rows])
    assert gallery.info()['index'] == 'none, exact'
    gallery.optimize()
    assert gallery.info()['index'] == 'IVF_SQ of 24000 entries'
    rows = range(24_000, 25_000)  # not in the index, and yet to be found
    gallery.upsert(entries_of(rows, drawing.CAMERAS), features.gallery[rows.start:])
    where = {'camera': f'c{CAMERA}'}
    for optimized in (False, True):
        if optimized:
            gallery.optimize()
            assert gallery.info()['index'] == 'IVF_SQ of 25000 entries'
        for conditions in ((), read_where(where)):
            assert 'ANN' in gallery._query(features.texts[0], 10, conditions).explain_plan()
        for queries in (features.images, features.texts):
            for filter_, camera in ((None, None), (where, CAMERA)):
                exact = drawing.exact_neighbours(features, queries, 10, camera)
                assert drawing.recall(rows_found(gallery, queries, filter_), exact) >= .99
    # What is removed from the index is not found, nor is what is replaced found where it was.
    gone = [str(row) for row in sorted(exact[0])]
    assert gallery.delete(ids=gone) == 10
    assert not {str(row) for row in rows_found(gallery, features.texts[:1], where)[0]} & set(gone)
    best = rows_found(gallery, features.images[:1])[0][0]
    gallery.upsert(entries_of([best], drawing.CAMERAS), -features.images[:1])
    assert best not in rows_found(gallery, features.images[:1])[0]
    assert rows_found(gallery, -features.images[:1])[0][0] == best


def test_features_are_hard_as_they_say(drawing):
    features = drawing.draw_features(2_000, DIM, queries=50, seed=2)
    for each in features:
        np.testing.assert_allclose(np.linalg.norm(each, axis=1), 1, atol=1e-5)
    images, texts = (queries @ features.gallery.T for queries in (features.images, features.texts))
    assert texts.max() < np.median(images.max(axis=1))  # the other cone
    exact = drawing.exact_neighbours(features, features.texts, 10)
    slow = [set(np.argsort(-row)[:10].tolist()) for row in texts]
    assert exact == slow
    exact = drawing.exact_neighbours(features, features.texts, 10, CAMERA)
    keep = np.arange(2_000) % drawing.CAMERAS == CAMERA
    assert exact == [set(np.argsort(-np.where(keep, row, -9))[:10].tolist()) for row in texts]
    assert drawing.recall([[1, 2, 3], []], [{1, 3, 5, 7}, {1}]) == .4


def test_the_command_measures_and_says_where(tmp_path):
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, 'tools/benchmark.py', 'search', '--sizes', '300', '--width', '16',
         '--queries', '5', '--backends', 'memory', '--threads', '1', '--out', str(tmp_path)],
        cwd=root, capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(root)})
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'search.json').read_text())['rows']
    assert [(row['entries'], row['gallery']) for row in rows] == [
        ('300', 'exact product'), ('300', 'memory')]
    for row in rows:
        assert [row[f'{kind} recall@10'] for kind in ('image', 'text', 'filtered')] == [1, 1, 1]
    assert all(rows[1][key] >= 0 for key in rows[1] if key.endswith(('(s)', '(ms)', '(MB)')))
    assert '| 300 | memory |' in done.stdout
