"""Phrases checked on pictures, with an encoder that knows colours and nothing else."""

import numpy as np
import pytest
from fakes import ColorEncoder, paint

from mmtbps.errors import BadValue
from mmtbps.evaluation.caption_labels import PhraseLabels
from mmtbps.evaluation.phrase_marks import fit_bounds
from mmtbps.lexicon import opposites_of
from mmtbps.search.answers import (
    PhraseChecker,
    TextCache,
    fit_phrase_bounds,
    read_phrase_bounds,
    write_phrase_bounds,
)
from mmtbps.search.answers.margins import (
    LABEL_FREE,
    LABEL_FREE_THING,
    Bounds,
    Margins,
    mark_margins,
    phrase_margins,
)


@pytest.fixture
def checker():
    return PhraseChecker(ColorEncoder())


def test_marks_follow_the_colors(checker):
    features = checker.encoder.encode_images([paint('red'), paint('blue'), paint('orange')])
    phrases = checker.phrases('a person in a red coat, not in a blue coat')
    marks = checker.marks(phrases, features)
    assert [[(mark.phrase, mark.mark) for mark in row] for row in marks[:2]] == [
        [('red coat', 'yes'), ('no blue coat', 'yes')],
        [('red coat', 'no'), ('no blue coat', 'no')]]
    assert marks[2][0].mark != 'yes' and marks[2][0].margin < marks[0][0].margin


def test_margins_are_those_of_the_mean_of_both_wordings(checker):
    features = checker.encoder.encode_images([paint('red'), paint('orange', 'black')])
    phrase, = checker.phrases('red coat')
    vectors = []
    for text in ('red coat', *opposites_of(phrase)):
        article = 'an' if text[0] in 'aeiou' else 'a'
        pair = checker.encoder.encode_texts(
            [f'{article} {text}', f'A person wearing {article} {text}.'])
        mean = (pair[0] + pair[1]) / 2
        vectors.append(mean / np.linalg.norm(mean))
    expected = phrase_margins(features, vectors[0], np.stack(vectors[1:]))
    for found, slow in zip(checker.margins(phrase, features), expected, strict=True):
        np.testing.assert_allclose(found, slow, rtol=1e-5)
    np.testing.assert_allclose(checker.contrast(phrase), vectors[0] - sum(vectors[1:]) / (
        len(vectors) - 1), rtol=1e-5, atol=1e-6)


def test_opposites_are_encoded_once(checker):
    features = checker.encoder.encode_images([paint('red')])
    checker.marks(checker.phrases('red coat'), features)
    first = checker._texts.encoded
    assert first == 2 * (1 + 11)
    checker.marks(checker.phrases('a blue coat'), features)
    assert checker._texts.encoded == first  # each was an opposite of the other


def test_the_least_used_texts_are_forgotten():
    cache = TextCache(ColorEncoder(), size=2)
    for texts, encoded in ((['red'], 1), (['blue', 'red'], 2), (['green'], 3), (['red'], 3),
                           (['blue'], 4)):
        cache(texts)
        assert cache.encoded == encoded
    assert cache(['red', 'green', 'blue']).shape == (3, 12)  # more than are kept
    np.testing.assert_array_equal(cache(['red', 'green', 'red', 'blue']),
                                  ColorEncoder().encode_texts(['red', 'green', 'red', 'blue']))


def test_words_in_no_phrase_are_named(checker):
    assert checker.unchecked('a tall man in a bright coat and a kurta') == (
        'tall', 'bright coat', 'kurta')
    assert checker.phrases('a tall person in a kurta') == ()
    assert checker.marks((), np.eye(3)) == [(), (), ()]


def test_bounds_of_a_kind_are_used_and_travel_through_a_file(checker, tmp_path):
    features = checker.encoder.encode_images([paint('red')])
    phrases = checker.phrases('red coat, glasses')
    assert checker.describe_bounds(phrases) == 'label-free'
    write_phrase_bounds(dict(clothing=Bounds(50., 60.)), tmp_path / 'bounds.json')
    checker.bounds = read_phrase_bounds(tmp_path / 'bounds.json')
    assert checker.marks(phrases, features)[0][0].mark == 'no'
    assert checker.describe_bounds(phrases) == 'calibrated, label-free'


@pytest.mark.parametrize(('content', 'message'), [
    ('{}', 'no bounds of phrases'), ('[1]', 'no bounds of phrases'), ('x', 'no bounds of phrases'),
    ('{"phrase_bounds": {"clothing": [1]}}', 'no bounds of phrases'),
    ('{"phrase_bounds": {"clothing": [1, 0]}}', 'wrong way round'),
    ('{"version": 2, "phrase_bounds": {"clothng": [0, 1]}}', 'no phrases of .clothng., but of clo'),
    ('{"version": 3, "phrase_bounds": {"clothing": [0, 1]}}', 'another version of mmtbps'),
    ('{"phrase_bounds": {"clothing": [0, 1]}}', 'another version of mmtbps; `mmtbps calibrate`')])
def test_a_file_of_other_things_is_refused(content, message, tmp_path):
    (tmp_path / 'bounds.json').write_text(content)
    with pytest.raises(BadValue, match=message):
        read_phrase_bounds(tmp_path / 'bounds.json')


def test_bounds_are_fitted_by_kind_on_all_its_phrases(checker):
    """As one by one, on the margins of all; a kind of few labels gets none."""
    colors = ['red', 'blue', 'green', 'yellow'] * 10
    features = checker.encoder.encode_images([paint(color) for color in colors])
    everywhere = np.arange(len(colors))
    labels = [PhraseLabels(checker.phrases(f'{color} coat')[0], everywhere,
                           np.array([one == color for one in colors])) for color in ('red', 'blue')]
    few = PhraseLabels(checker.phrases('man')[0], everywhere[:30], everywhere[:30] < 10)
    fitted = fit_phrase_bounds(checker, [*labels, few], features)
    margins = np.concatenate([checker.margins(one.phrase, features).sides for one in labels])
    low, high = fit_bounds(margins, np.concatenate([one.holds for one in labels]))
    assert fitted == dict(clothing=Bounds(low, high))
    assert margins[:40][labels[0].holds].min() > high >= low > margins[:40][~labels[0].holds].max()


def test_bounds_of_a_thing_go_before_those_of_its_kind(checker):
    """Bags and hats are seen differently well, and colors of either otherwise again."""
    bag, hat, red = checker.phrases('backpack, hat, red scarf')
    kind, own = Bounds(0., 1.), Bounds(2., 3.)
    checker.bounds = {'accessory': kind, 'accessory: backpack': own}
    assert [checker.bounds_of(phrase) for phrase in (bag, hat, red)] == [own, kind, LABEL_FREE]


def test_without_labels_nothing_tells_that_a_thing_is_not_there(checker):
    """No caption of a training says so; that it is there may be seen."""
    features = checker.encoder.encode_images([paint(color) for color in ('red', 'blue', 'black')])
    things = checker.phrases('backpack, hat, glasses, no scarf, beard')
    plain = [checker.margins(phrase, features) for phrase in things]
    assert 'no' in {mark for one in plain for mark in mark_margins(one)}  # so others would be
    marks = checker.marks(things, features)
    assert {mark.mark for row in marks for mark in row if mark.phrase != 'no scarf'} <= {
        'yes', 'unsure'}
    assert {row[3].mark for row in marks} <= {'no', 'unsure'}
    sides = np.float64([-9., 9.])
    assert mark_margins(Margins(sides, np.ones(2)), LABEL_FREE_THING) == ['unsure', 'yes']


def test_bounds_are_fitted_by_thing_where_there_are_labels_enough(checker):
    features = checker.encoder.encode_images([paint(color) for color in ['red', 'blue'] * 30])
    everywhere, odd = np.arange(60), np.arange(60) % 2 == 1
    bag, hat = checker.phrases('backpack, hat')
    fitted = fit_phrase_bounds(checker, [PhraseLabels(bag, everywhere, odd),
                                         PhraseLabels(hat, everywhere[:30], odd[:30])], features)
    assert fitted.keys() == {'accessory: backpack', 'accessory'}
    sides = [checker.margins(phrase, features).sides for phrase in (bag, hat)]
    assert fitted['accessory: backpack'] == Bounds(*fit_bounds(sides[0], odd))
    assert fitted['accessory'] == Bounds(*fit_bounds(
        np.concatenate([sides[0], sides[1][:30]]), np.concatenate([odd, odd[:30]])))
