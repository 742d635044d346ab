"""People judged by rules, against the presence of a search and against scores one by one."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import ColorEncoder
from presence_worlds import DIM, world
from watch_rig import painted_gallery

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence import fit_calibration
from mmtbps.search import TextToPersonInferencer
from mmtbps.search.answers import PresenceEstimator
from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.watching import Rule, RuleJudge

FINGERPRINT = dict(model='a' * 64, pipeline='sphere', dim=DIM)


class Sphere:
    """Encoder whose sentences end in the number of a query of a world."""

    dim, fingerprint = DIM, FINGERPRINT

    def __init__(self, data):
        self.data = data

    def encode_texts(self, texts):
        return np.stack([self.data.queries[int(text.split()[-1])] for text in texts]).astype(
            np.float32)


@pytest.fixture(scope='module')
def data():
    return world(300, seed=9)


@pytest.fixture(scope='module')
def calibration():
    pytest.importorskip('sklearn')
    return fit_calibration(world(120, seed=0), fingerprint=FINGERPRINT)


def gallery_of(data, tmp_path, rows):
    gallery = open_gallery(tmp_path / f'people{len(rows)}', FINGERPRINT)
    gallery.upsert([GalleryEntry(str(row), f'{row}.jpg', camera=f'c{row % 2}') for row in rows],
                   data.gallery[rows].astype(np.float32))
    return gallery


@pytest.mark.parametrize('people', [250, 8])
def test_a_probability_is_that_of_a_search(data, calibration, tmp_path, people):
    gallery = gallery_of(data, tmp_path, np.arange(people))
    encoder = Sphere(data)
    judge = RuleJudge([Rule('all', 'person 6', 'min_score', -1.)], gallery, encoder, calibration)
    vector = encoder.encode_texts(['person 6'])
    hits = gallery.search(vector, 10)
    presence, = PresenceEstimator(gallery, calibration)(vector, hits)
    found = {each.entry.id: each for each in judge(list(gallery.entries()))}
    assert len(found) == people
    for hit in hits[0]:
        assert found[hit.entry.id].probability == pytest.approx(presence.hits[hit.entry.id])
        assert found[hit.entry.id].score == pytest.approx(hit.score, abs=1e-6)
    worst = min(found.values(), key=lambda each: each.score)
    assert worst.probability < .01 or people == 8


def test_a_rate_and_a_probability_find_the_person_and_hardly_anybody_else(
        data, calibration, tmp_path):
    gallery = gallery_of(data, tmp_path, np.arange(250))
    rules = [Rule(f'{bound} {row}', f'person {2 * row}', bound, value) for row in range(20)
             for bound, value in (('max_false_alarm_rate', .001), ('min_probability', .5))]
    judge = RuleJudge(rules, gallery, Sphere(data), calibration)
    found = [(each.rule.name.split(), each.entry.id) for each in judge(list(gallery.entries()))]
    for bound in ('max_false_alarm_rate', 'min_probability'):
        right = sum(name == [bound, key] for name, key in found)
        assert right >= 14
        assert sum(name[0] == bound for name, _ in found) - right <= 20


def test_a_judgement_does_not_depend_on_who_is_judged_with_whom(data, calibration, tmp_path):
    gallery = gallery_of(data, tmp_path, np.arange(250))
    rules = [Rule('all', 'person 6', 'min_score', -1.)]
    judge = RuleJudge(rules, gallery, Sphere(data), calibration)
    entries = sorted(gallery.entries(), key=lambda entry: int(entry.id))[:20]
    together = [each.probability for each in judge(entries)]
    alone = [judge([entry])[0].probability for entry in entries]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.parametrize('bound', ['max_false_alarm_rate', 'min_probability'])
def test_what_needs_a_calibration_is_refused_without_one(tmp_path, bound):
    gallery, _ = painted_gallery(tmp_path, 'red')
    with pytest.raises(BadValue, match=f"'red': {bound}: the model is not calibrated: of another"):
        RuleJudge([Rule('red', 'all in red', bound, .1)], gallery, ColorEncoder(), None,
                  'of another')


def test_a_sentence_of_another_length_has_no_probability(data, calibration, tmp_path):
    gallery, encoder = gallery_of(data, tmp_path, np.arange(250)), Sphere(data)
    noted = replace(calibration, fitted_on=dict(words=[3, 40]))
    with pytest.raises(BadValue, match="'all': min_probability: the model is calibrated for "
                       'sentences of 3 to 40 words, and this one has 2. Name a max_false'):
        RuleJudge([Rule('all', 'person 6', 'min_probability', .5)], gallery, encoder, noted)
    rule = [Rule('all', 'person 6', 'max_false_alarm_rate', .01)]
    strange, usual = ([(each.entry.id, each.probability) for each in RuleJudge(
        rule, gallery, encoder, known)(list(gallery.entries()))] for known in (noted, calibration))
    # Strangers have the law that they had: the same people are found.
    assert [key for key, _ in strange] == [key for key, _ in usual] and usual
    assert {told for _, told in strange} == {None} and None not in {told for _, told in usual}
    assert RuleJudge(rule, gallery, encoder, noted)(list(gallery.entries()))[0].basis == (
        'not calibrated for sentences of 3 to 40 words, and this one has 2')


def test_a_short_sentence_is_judged_by_what_was_fitted_on_such(data, calibration, tmp_path):
    """Its probability is that of a search; a rate of false alarms keeps the law of captions."""
    gallery, encoder = gallery_of(data, tmp_path, np.arange(250)), Sphere(data)
    short = replace(fit_calibration(world(60, seed=3), fingerprint=FINGERPRINT),
                    bank=calibration.bank, scale=calibration.scale,
                    fitted_on=dict(words=[1, 2], kind='parts of captions'))
    both = replace(calibration, fitted_on=dict(words=[3, 40]), others=(short,))
    vector = encoder.encode_texts(['person 6'])
    presence, = PresenceEstimator(gallery, both)(vector, gallery.search(vector, 10), None,
                                                 ['person 6'])
    bound = sorted(presence.hits.values())[5]
    rules = [Rule('likely', 'person 6', 'min_probability', bound),
             Rule('rate', 'person 6', 'max_false_alarm_rate', .01),
             Rule('long', 'this is person 6', 'max_false_alarm_rate', .01)]
    found = RuleJudge(rules, gallery, encoder, both)(list(gallery.entries()))
    likely = {each.entry.id: each for each in found if each.rule.name == 'likely'}
    assert {key for key, value in presence.hits.items() if value > bound} < likely.keys()
    assert len(likely) == 5
    for key, each in likely.items():
        assert each.probability == pytest.approx(presence.hits[key])
        assert each.basis == presence.basis and 'parts of captions' in each.basis
    rate, long = ({each.entry.id for each in found if each.rule.name == name}
                  for name in ('rate', 'long'))
    assert rate == long != set()
    assert 'parts' not in next(each.basis for each in found if each.rule.name == 'long')


def test_filters_and_what_a_sentence_denies_decide_who_is_found(tmp_path):
    gallery, _ = painted_gallery(tmp_path, 'red', 'blue', 'green')
    encoder = ColorEncoder()
    judge = RuleJudge([Rule('red', 'red', 'min_score', .95),
                   Rule('here', 'red', 'min_score', .95, dict(camera='c1')),
                   Rule('not red', 'a person without a red coat', 'min_score', -1.)],
                  gallery, encoder)
    found = {(each.rule.name, each.entry.path.split('-')[1]) for each in judge(
        list(gallery.entries()))}
    assert ('red', '00-red.png'.split('-')[1]) in found and ('red', 'blue.png') not in found
    assert not any(name == 'here' for name, _ in found)
    denied = {path for name, path in found if name == 'not red'}
    assert 'red.png' not in denied and 'blue.png' in denied


def test_a_rule_that_only_denies_scores_as_a_search_does(tmp_path):
    gallery, _ = painted_gallery(tmp_path, 'red', 'blue', 'green', 'white')
    encoder, sentence = ColorEncoder(), 'someone without a red coat'
    found = RuleJudge([Rule('no red', sentence, 'min_score', -1.)], gallery, encoder)(
        list(gallery.entries()))
    searched, = TextToPersonInferencer(encoder, gallery=gallery)(sentence, topk=4)
    scores = {hit.entry.id: hit.score for hit in searched.hits}
    plain = dict(zip([each.entry.id for each in found], gallery.get(
        [each.entry.id for each in found])[1] @ encoder.encode_texts(['someone'])[0], strict=True))
    assert len(found) >= 2
    for each in found:
        assert each.score == pytest.approx(scores[each.entry.id], abs=1e-5)
        assert abs(each.score - plain[each.entry.id]) > .05


@pytest.mark.parametrize('bound', ['max_false_alarm_rate', 'min_probability'])
@pytest.mark.parametrize('calibrated', [True, False])
def test_of_what_is_only_denied_no_rate_is_known(data, calibration, tmp_path, bound, calibrated):
    gallery = gallery_of(data, tmp_path, np.arange(20))
    with pytest.raises(BadValue, match=f"'bare': {bound}: .* nothing but \"no hat\""):
        RuleJudge([Rule('bare', 'a man without a hat', bound, .1)], gallery, Sphere(data),
                  calibration if calibrated else None)
