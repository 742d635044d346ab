"""The benchmark of captions, on an encoder of hashes and people whom nobody draws."""

import json
import zlib
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands.benchmark import load_benchmark, markdown_table
from mmtbps.errors import BadValue, MissingFile
from mmtbps.lexicon.vocabulary import colors, garments


class HashEncoder:
    """Random unit features, equal for equal texts; all pictures are alike."""

    dim, fingerprint = 16, dict(model='0' * 64, pipeline='hash', dim=16)

    def encode_texts(self, texts):
        """Encode into ``(N, 16)``."""
        return _unit([np.random.default_rng(zlib.crc32(text.encode())).normal(size=16)
                      for text in texts])

    def encode_images(self, images):
        """Encode into ``(N, 16)``."""
        return _unit(np.ones((len(images), 16)))


def _unit(rows):
    rows = np.array(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope='module')
def benchmark():
    return load_benchmark('captions')


CAPTIONS = ['A man in a red coat and dark blue jeans.', 'She has a T-shirt, and white shoes.',
            'Nobody knows.', 'Black, black, black!']


@pytest.mark.parametrize('share', [0., .25, .5, 1.])
def test_so_many_words_are_wrong_and_no_others(benchmark, share):
    texts, replaced = benchmark.wrong_captions(CAPTIONS, share, 1)
    words = [[*benchmark._pattern().finditer(text)] for text in CAPTIONS]
    total = sum(map(len, words))
    assert [[word[0] for word in row] for row in words] == [
        ['red', 'coat', 'blue', 'jeans'], ['T-shirt', 'white', 'shoes'], [],
        ['Black', 'black', 'black']]
    # Behind and before each word of the lexicon all is as it was.
    kept = [benchmark._pattern().sub('*', text) for text in CAPTIONS]
    new = [benchmark._pattern().sub('*', text) for text in texts]
    assert new == kept
    pairs = [(old[0].lower(), word[0].lower()) for row, text in zip(words, texts, strict=True)
             for old, word in zip(row, benchmark._pattern().finditer(text), strict=True)]
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    assert len(wrong) == round(share * total) and replaced == pytest.approx(len(wrong) / total)
    for old, word in wrong:
        if old in colors():
            assert colors()[word].name != colors()[old].name
        else:
            assert garments()[word].region == garments()[old].region
    assert texts == benchmark.wrong_captions(CAPTIONS, share, 1)[0]
    assert share in (0, 1) or texts != benchmark.wrong_captions(CAPTIONS, share, 2)[0]


def test_an_interval_draws_people_and_not_pictures(benchmark):
    people = np.repeat(np.arange(100), 4)
    gains = np.repeat(np.random.default_rng(5).normal(size=100), 4)
    low, high = benchmark.interval(gains, people)
    error = gains[::4].std(ddof=1) / 10
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=.1)
    assert low < gains.mean() < high
    narrow = benchmark.interval(gains, np.arange(400))
    assert narrow[1] - narrow[0] < .6 * (high - low)


@pytest.fixture
def data(tmp_path):
    """Three people twice; both captions of a picture are one, another picture has others."""
    records = []
    (tmp_path / 'imgs').mkdir()
    for number in range(6):
        Image.new('RGB', (4, 8)).save(tmp_path / f'imgs/{number}.png')
        text = f'number {number} in a red coat'
        records.append(dict(split='test', id=number // 2, file_path=f'{number}.png',
                            captions=[text, text]))
    for name in ('reid_raw.json', 'unseen_wording.json'):
        (tmp_path / name).write_text(json.dumps([*records, dict(split='train', captions=[])]))
    return tmp_path


def run(benchmark, monkeypatch, data, **options):
    monkeypatch.setattr(benchmark, 'load_encoder', lambda *args, **more: HashEncoder())
    return benchmark.run(Namespace(**{**dict(
        threads=1, model='m', weights=None, data=data, shares=[0., .9], wrong=[0., 1.],
        seeds=2), **options}))


def test_equal_captions_find_their_picture_unless_it_is_left_out(benchmark, monkeypatch, data):
    rows = run(benchmark, monkeypatch, data)
    assert [(row['queries'], row['among'], row['wrong']) for row in rows] == [
        (queries, among, wrong) for queries in ('second caption', 'unseen wording')
        for among in ('all pictures', 'other pictures') for wrong in ('0%', '100%')]
    assert rows[0]['alone'].startswith('100.0 / ') and rows[0]['w = 0.9'].startswith('100.0 / ')
    assert rows[0]['w = 0'].startswith('33.3 / ') and '+66.7 [' in rows[0]['alone']
    assert not any(row['alone'].startswith('100.0') for row in rows[1:4])
    assert markdown_table(rows).startswith('| queries | among | wrong | w = 0 | w = 0.9 | alone |')


def test_what_cannot_be_measured_is_refused(benchmark, monkeypatch, data):
    with pytest.raises(BadValue, match='--wrong is from 0 to 1'):
        run(benchmark, monkeypatch, data, wrong=[2])
    with pytest.raises(BadValue, match='from 0 to below 1'):
        run(benchmark, monkeypatch, data, shares=[1])
    (data / 'unseen_wording.json').write_text(json.dumps([dict(
        split='test', id=0, file_path='0.png', captions=['one'])]))
    with pytest.raises(BadValue, match='0.png has one caption'):
        run(benchmark, monkeypatch, data)
    (data / 'unseen_wording.json').unlink()
    with pytest.raises(MissingFile, match='made by mmtbps draw'):
        run(benchmark, monkeypatch, data)
