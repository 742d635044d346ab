"""The benchmark of phrases, on drawn people whom nobody draws and an encoder of hashes."""

import zlib

import numpy as np
import pytest

from mmtbps.commands.benchmark import load_benchmark, markdown_table
from mmtbps.drawing import caption, sample_person, sample_scene
from mmtbps.drawing.captions import visible


class HashEncoder:
    """Random unit features, equal for equal texts."""

    dim, fingerprint = 16, dict(model='0' * 64, pipeline='hash', dim=16)

    def encode_texts(self, texts):
        """Encode into ``(N, 16)``."""
        rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=16) for text in texts]
        return _unit(np.array(rows, np.float32))


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope='module')
def benchmark():
    return load_benchmark('phrases')


def _side(benchmark, first):
    truth, captions, people = [], [], []
    for number in range(first, first + 70):
        rng = np.random.default_rng((0, number))
        person = sample_person(rng)
        scene = sample_scene(rng)
        truth.append((person, scene, visible(person, scene)))
        captions.append(caption(person, scene, number))
        people.append(number)
    images = _unit(np.random.default_rng(first).normal(size=(70, 16)).astype(np.float32))
    return benchmark.Side(images, truth, np.array(people), captions,
                          HashEncoder().encode_texts(captions), np.array(people))


def test_all_tables_have_rows_that_agree_with_the_truth(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, '_CLOTHES', ('jacket', 'jeans'))
    monkeypatch.setattr(benchmark, '_DENIED', ('a person without a backpack',))
    test = _side(benchmark, 100)
    rows = benchmark.measure(HashEncoder(), _side(benchmark, 0), test, 3)
    assert {tuple(row) for row in rows} == {
        ('measure', 'of', 'plain', 'label-free', 'calibrated')}
    assert {row['measure'].split()[0] for row in rows} == {
        'balanced', 'R1', 'lacking', 'rank'}
    denied = next(row for row in rows if row['measure'].startswith('lacking'))
    seen = [person.bag == 'backpack' for person, _, shown in test.truth
            if person.bag != 'backpack' or 'bag' in shown]
    assert denied['of'].endswith(f'(base {100 * (1 - np.mean(seen)):.0f})')
    assert markdown_table(rows).count('\n') == len(rows) + 1


def test_no_value_stands_for_what_cannot_be_rated(benchmark):
    from mmtbps.evaluation.phrase_marks import MarkQuality
    word = benchmark._word_quality
    assert word([MarkQuality(float('nan'), 0., 3)]) == '- (0% decided)'
    assert word([MarkQuality(.5, .2, 3), MarkQuality(1., .4, 3)]) == '0.75 (30% decided)'
