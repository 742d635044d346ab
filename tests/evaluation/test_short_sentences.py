"""Short sentences: measures against a loop, files, and the table."""

import json

import numpy as np
import pytest

from mmtbps.errors import BadValue, MissingFile, RecordError
from mmtbps.evaluation.short_sentences import (
    SentenceMeasures,
    group_means,
    measure_sentence,
    read_short_sentences,
    score_short_sentences,
    short_sentence_table,
    skill,
)


def by_hand(scores, true, unsure):
    """Sort the gallery, true pictures behind others of their score, and count."""
    gallery = [i for i in range(len(scores)) if not unsure[i]]
    order = sorted(gallery, key=lambda i: (-scores[i], true[i]))
    count = sum(true[i] for i in gallery)
    first = sum(true[i] for i in order[:count]) / count
    hits, precisions = 0, []
    for place, i in enumerate(order, 1):
        if true[i]:
            hits += 1
            precisions.append(hits / place)
    return first, sum(precisions) / count, count / len(gallery)


@pytest.mark.parametrize('levels', [3, 1000])
def test_measures_are_those_of_a_loop(levels):
    rng = np.random.default_rng(levels)
    for _ in range(30):
        scores = rng.integers(levels, size=40) / levels
        kind = rng.integers(3, size=40)
        kind[:3] = 0, 1, 2
        found = measure_sentence(scores, kind == 1, kind == 2)
        assert np.allclose(found, by_hand(scores.tolist(), (kind == 1).tolist(), kind == 2))


def test_a_random_order_gets_the_base_rate_and_a_constant_score_nothing():
    rng = np.random.default_rng(0)
    true, none = np.arange(500) < 100, np.zeros(500, bool)
    found = [measure_sentence(rng.random(500), true, none) for _ in range(200)]
    assert abs(np.mean([one.precision for one in found]) - .2) < .01
    assert abs(np.mean([one.skill for one in found])) < .015
    assert measure_sentence(np.zeros(500), true, none).precision == 0
    assert measure_sentence(true * 1., true, none) == (1., 1., .2)
    assert skill(1., .2) == 1. and skill(.2, .2) == 0.


@pytest.mark.parametrize('scores, true, says', [
    ([1., 2.], [True], r'must all be \(N,\)'), ([1., np.nan], [True, False], 'finite'),
    ([1., 2.], [True, True], 'true of 2 of 2'), ([1., 2.], [False, False], 'true of 0 of 2')])
def test_what_measures_nothing_is_refused(scores, true, says):
    with pytest.raises(BadValue, match=says):
        measure_sentence(np.array(scores), np.array(true), np.zeros(len(scores), bool))


CONTENT = dict(format='mmtbps-short-sentences', version=1, name='mine',
               images=['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'], people=[1, 1, 2, 3],
               sentences=[dict(sentence='red top', group='upper color', attributes=['red top'],
                               true=[0, 3], unsure=[1])])


def write(folder, **changes):
    for name in CONTENT['images']:
        (folder / name).touch()
    path = folder / 'short.json'
    path.write_text(json.dumps({**CONTENT, **changes}))
    return path


def test_a_benchmark_is_read_and_scored(tmp_path):
    benchmark = read_short_sentences(write(tmp_path))
    one, = benchmark.sentences
    assert one.true.tolist() == [True, False, False, True]
    assert one.unsure.tolist() == [False, True, False, False]
    features = dict(zip(benchmark.images, [[1., 0.], [9., 0.], [.5, 0.], [0., 9.]], strict=True))
    measures = score_short_sentences(
        benchmark, lambda paths: np.array([features[path] for path in paths]),
        lambda texts: np.array([[1., 0.]] * len(texts)))
    assert measures == [SentenceMeasures(.5, (1 + 2 / 3) / 2, 2 / 3)]
    assert group_means(benchmark.sentences, measures)['upper color']['skill'] == pytest.approx(-.5)
    assert short_sentence_table(benchmark.sentences, measures).splitlines()[-1] == (
        '| upper color | 50.0 | 83.3 | 66.7 | -50.0 | -50.0 | 1 |')


def sentence(**changes):
    return dict(sentences=[{**CONTENT['sentences'][0], **changes}])


@pytest.mark.parametrize('changes, error, says', [
    (dict(format='x'), BadValue, 'no benchmark of short sentences'),
    (dict(version=9), BadValue, 'version 9'), (dict(people=[1]), BadValue, 'lists of one length'),
    (dict(images=['a.jpg', 'b.jpg', 'c.jpg', 'e.jpg']), MissingFile, '1 of 4 pictures are missing'),
    (dict(sentences=[]), BadValue, 'no sentence'),
    (dict(sentences=5), BadValue, 'sentences must be a list'),
    (sentence(attributes=5), RecordError, 'sentence 0: attributes must be a list'),
    (sentence(sentence=None), RecordError, 'sentence 0: sentence must be a text'),
    (sentence(true=[4]), RecordError, 'sentence 0: true must be places from 0 to 3'),
    (sentence(true=[True]), RecordError, 'places'), (sentence(true='0'), RecordError, 'places'),
    (sentence(true=[]), RecordError, 'must be true of some pictures'),
    (sentence(unsure=[0]), RecordError, 'none both true and unsure')])
def test_broken_files_are_named(changes, error, says, tmp_path):
    with pytest.raises(error, match=says):
        read_short_sentences(write(tmp_path, **changes))


def test_other_files_are_refused(tmp_path):
    (tmp_path / 'a.json').write_text('[')
    with pytest.raises(BadValue, match='no JSON'):
        read_short_sentences(tmp_path / 'a.json')
    with pytest.raises(MissingFile, match='no such file'):
        read_short_sentences(tmp_path / 'b.json')
