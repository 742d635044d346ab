"""The file of a calibration: it reads back, and what is damaged is refused in a line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from presence_worlds import DIM, world

from mmtbps.errors import BadValue, MissingFile
from mmtbps.evaluation.presence import (
    deal_trials,
    describe_fit,
    fit_calibration,
    read_calibration,
    write_calibration,
)

pytest.importorskip('sklearn')


@pytest.fixture(scope='module', params=['logistic', 'isotonic'])
def calibration(request):
    return fit_calibration(world(60, seed=0), request.param, fingerprint=dict(model='ab', dim=DIM),
                           fitted_on=dict(dataset='Sphere', split='val',
                                          ann_files={'a.json': '0123456789abcdef'}))


@pytest.fixture
def file(calibration, tmp_path):
    return write_calibration(tmp_path / 'made/presence.json', calibration)


def test_it_reads_back_as_the_same(calibration, file):
    found = read_calibration(file)
    assert found.fingerprint == dict(model='ab', dim=DIM) and found.prior == .5
    trials = deal_trials(world(60, seed=1), 30)
    for size in (60, 5000):
        for a, b in zip(found.probabilities(trials.evidence, size),
                        calibration.probabilities(trials.evidence, size), strict=True):
            assert np.abs(a - b).max() < 1e-12
    assert np.abs(found.bank - calibration.bank).max() < 1e-3
    assert [path.name for path in file.parent.iterdir()] == ['presence.json']


def test_it_says_what_it_was_fitted_on(calibration, file):
    line = describe_fit(read_calibration(file))
    assert line == describe_fit(calibration) == json.loads(file.read_text())['protocol']
    assert line.startswith('fitted on Sphere, split val | annotations a.json (sha256 0123456789ab)'
                           ' | 60 people, 120 sentences x 60 pictures | galleries of 20, 40, 59')


def test_it_says_how_long_its_sentences_were(calibration, tmp_path):
    noted = replace(calibration, fitted_on={**calibration.fitted_on, 'words': [18, 45]})
    found = read_calibration(write_calibration(tmp_path / 'presence.json', noted))
    assert found.fitted_on['words'] == [18, 45]
    assert '60 pictures, 18 to 45 words each | ' in describe_fit(found)


@pytest.fixture
def with_others(calibration):
    """A calibration on captions, and one on parts of them."""
    long = replace(calibration, fitted_on={**calibration.fitted_on, 'words': [13, 44]})
    short = fit_calibration(world(50, seed=4), fingerprint=calibration.fingerprint, fitted_on=dict(
        words=[1, 14], kind='parts of captions', auroc=[.7, .6, .5]))
    return replace(long, others=(short,))


def test_it_holds_what_was_fitted_on_sentences_of_other_lengths(with_others, tmp_path):
    found = read_calibration(write_calibration(tmp_path / 'presence.json', with_others))
    short, = found.others
    for count, right in ((15, found), (44, found), (12, short), (1, short)):
        assert found.of_length(' '.join(['word'] * count)) == (right, '')
    assert found.of_length('word ' * 45) == (
        None, 'for sentences of 13 to 44 words or 1 to 14 words, and this one has 45')
    assert found.fingerprint == short.fingerprint and found.scale == short.scale
    assert (found.bank == short.bank).all()
    evidence = deal_trials(world(60, seed=1), 30).evidence
    for read, written in ((found, with_others), (short, with_others.others[0])):
        for a, b in zip(read.probabilities(evidence, 300), written.probabilities(evidence, 300),
                        strict=True):
            assert np.abs(a - b).max() < 1e-12
    assert '100 parts of captions x 50 pictures, 1 to 14 words each | ' in describe_fit(short)
    assert ' % there, AUROC 0.70, 0.60, 0.50 | ' in describe_fit(short)
    assert describe_fit(found) == describe_fit(with_others)


@pytest.mark.parametrize('count, share', [(13, 1 / 3), (14, 2 / 3)])
def test_between_two_lengths_one_word_changes_little(with_others, count, share):
    """Both are fitted on sentences of 13 and 14 words: each counts by how near the other's end."""
    mixed, said = with_others.of_length(' '.join(['word'] * count))
    evidence = deal_trials(world(60, seed=1), 30).evidence
    told = [one.probabilities(evidence, 300, .2) for one in (with_others.others[0], with_others)]
    for found, (short, long) in zip(mixed.probabilities(evidence, 300, .2),
                                    zip(*told, strict=True), strict=True):
        assert np.abs(short - long).max() > .02
        assert np.abs(found - ((1 - share) * short + share * long)).max() < 1e-12
    assert said == '' and (mixed.bank == with_others.bank).all()
    nearer = with_others if share > .5 else with_others.others[0]
    assert describe_fit(mixed) == describe_fit(nearer)


def test_lengths_within_those_of_the_first_are_the_first_ones(with_others):
    short = replace(with_others.others[0], fitted_on={'words': [20, 30]})
    wide = replace(with_others, others=(short,))
    assert wide.of_length(' '.join(['word'] * 25)) == (wide, '')


def test_a_file_of_old_has_one_calibration_for_all(calibration, file):
    values = json.loads(file.read_text())
    del values['others']
    file.write_text(json.dumps(values))
    found = read_calibration(file)
    assert found.others == () and found.of_length('red coat') == (found, '')


@pytest.mark.parametrize('change, said', [
    (lambda others: others[0].pop('match'), "no 'match'"),
    (lambda others: others[0]['fitted_on'].pop('words'), 'lengths of its sentences'),
    (lambda others: others[0].update(others=[]), 'lengths of its sentences'),
    (lambda others: others[0]['fitted_on'].update(auroc=[1.]), '3 numbers are needed'),
    (lambda others: others[0]['fitted_on'].update(ann_files=[3]), 'cannot convert'),
    (lambda others: others.append(3), 'not iterable'),
    (lambda others: others.extend(others * 9), 'other lengths are no list')])
def test_others_that_are_damaged_are_refused(with_others, tmp_path, change, said):
    file = write_calibration(tmp_path / 'presence.json', with_others)
    values = json.loads(file.read_text())
    change(values['others'])
    file.write_text(json.dumps(values))
    with pytest.raises(BadValue, match='is no calibration, or damaged') as refusal:
        read_calibration(file)
    assert said in str(refusal.value)


def spoil(key, value):
    def spoilt(values):
        *path, last = key.split('.')
        for part in path:
            values = values[part]
        values[last] = value
    return spoilt


@pytest.mark.parametrize('change, said', [
    (spoil('schema', 'other/1'), "its schema is not 'mmtbps.presence/1'"),
    (spoil('weights', {'standing': 1.}), 'its evidence is another'),
    (spoil('weights.own', 'NaN'), 'no finite number'),
    (spoil('weights.own', True), 'no finite number'),
    (spoil('match.left', 0), 'a deviation must be above 0'),
    (spoil('strangers.mean.curve', -1.), 'law of the best stranger is none'),
    (spoil('strangers.deviation.least', None), 'law of the best stranger is none'),
    (spoil('strangers.right_share', 1.), 'law of the best stranger is none'),
    (spoil('presence', {'slope': -1., 'intercept': 0.}), 'cannot speak less'),
    (spoil('presence', {'knots': [[0., .9], [1., .1]]}), 'do not rise'),
    (spoil('presence', {'knots': []}), '0 knots'),
    (spoil('presence', {}), "no 'slope'"),
    (spoil('hit', [1., 2.]), '3 numbers are needed'),
    (spoil('prior', 1.), 'a share or a deviation is none'),
    (spoil('scale', [0., 0.]), 'a share or a deviation is none'),
    (spoil('neutral.shape', [10 ** 9, DIM]), 'no sane shape'),
    (spoil('neutral.shape', [3, DIM]), 'reshape'),
    (spoil('neutral.float16', 'no base64!'), 'damaged'),
    (spoil('fingerprint', {'dim': 7}), 'the model has 7'),
    (spoil('fingerprint', []), 'a fingerprint has names'),
    (spoil('fitted_on.words', [3, 2]), 'lengths of its sentences'),
    (spoil('fitted_on.words', [3]), 'lengths of its sentences'),
    (spoil('fitted_on.words', ['a', 'b']), 'lengths of its sentences'),
    (spoil('fitted_on.sizes', 5), 'not iterable'),
    (spoil('fitted_on.ann_files', 'a.json'), 'dictionary update'),
    (lambda values: values.pop('strangers'), "no 'strangers'"),
])
def test_what_is_damaged_is_refused(file, change, said):
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))
    with pytest.raises(BadValue, match='is no calibration, or damaged') as refusal:
        read_calibration(file)
    assert said in str(refusal.value) and '\n' not in str(refusal.value)
    assert refusal.value.remedy.action == 'calibrate'


@pytest.mark.parametrize('text', ['', '[]', '{"schema": ', '[' * 100_000])
def test_what_is_no_calibration_is_refused(tmp_path, text):
    (tmp_path / 'x.json').write_text(text)
    with pytest.raises(BadValue, match='x.json is no calibration, or damaged'):
        read_calibration(tmp_path / 'x.json')
    with pytest.raises(MissingFile, match='y.json: no such calibration'):
        read_calibration(tmp_path / 'y.json')
    with pytest.raises(BadValue, match='is no calibration'):
        read_calibration(tmp_path)
