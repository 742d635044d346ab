"""Presence of a search against all of its scores, one by one; filters, caches, and files."""

import json
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from fakes import ColorEncoder, paint_folder
from presence_worlds import DIM, world

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence import fit_calibration, write_calibration
from mmtbps.evaluation.presence.evidence import (
    gallery_moments,
    hit_evidence,
    neutral_scale,
    neutral_share,
    stranger_moments,
)
from mmtbps.search import TextToPersonInferencer
from mmtbps.search.answers import (
    PresenceEstimator,
    find_calibration,
    find_statistics,
    forget_statistics,
    gallery_statistics,
    place_of_calibration,
)
from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.presence import Presence
from mmtbps.search.presentation import describe_presence
from mmtbps.search.results import SearchResult

FINGERPRINT = dict(model='a' * 64, pipeline='sphere', dim=DIM)


class SphereEncoder:
    """Encoder whose sentences are numbers of the queries of a world."""

    dim, fingerprint = DIM, FINGERPRINT

    def __init__(self, data):
        self.data, self.encoded = data, 0

    def encode_texts(self, texts):
        self.encoded += len(texts)
        return np.stack([self.data.queries[int(text)] for text in texts]).astype(np.float32)

    def encode_images(self, images):
        raise AssertionError('no picture is encoded here')


@pytest.fixture(scope='module')
def data():
    return world(300, seed=9)


@pytest.fixture(scope='module')
def calibration():
    pytest.importorskip('sklearn')
    return fit_calibration(world(120, seed=0), fingerprint=FINGERPRINT)


@pytest.fixture
def gallery(data, tmp_path):
    """All people but the first fifty, from two cameras."""
    gallery = open_gallery(tmp_path / 'people', FINGERPRINT)
    rows = range(50, 300)
    gallery.upsert([GalleryEntry(str(row), f'{row}.jpg', camera=f'c{row % 2}') for row in rows],
                   data.gallery[50:].astype(np.float32))
    return gallery


def expected(calibration, data, query, rows):
    """Probabilities from all scores over a part of the gallery."""
    whole = data.gallery[50:]
    scores = whole @ data.queries[query]
    inside = np.sort(data.gallery[rows] @ data.queries[query])[::-1]
    order = sorted(rows, key=lambda row: -(data.gallery[row] @ data.queries[query]))[:12]
    moments = stranger_moments(np.array([scores.mean()]), np.array([(scores ** 2).mean()]),
                               len(whole), inside[None, :10], len(rows))
    if calibration is None:
        law = NormalDist(float(moments[0][0]), float(moments[1][0]))
        return law.cdf(inside[0]) ** len(rows), None
    scale = neutral_scale(calibration.bank, *gallery_moments(whole), len(whole),
                          calibration.scale)
    shares = neutral_share(data.gallery[order] @ calibration.bank.T, scale)
    evidence = hit_evidence(inside[None, :12], shares[None], *moments, scale)
    present, hits = calibration.probabilities(evidence, len(rows))
    return present[0], dict(zip(map(str, order), hits[0], strict=True))


@pytest.mark.parametrize('where', [None, {'camera': 'c1'}])
@pytest.mark.parametrize('calibrated', [True, False])
def test_presence_is_that_of_all_scores(gallery, data, calibration, where, calibrated):
    used = calibration if calibrated else None
    estimator = PresenceEstimator(gallery, used)
    scores = data.queries @ data.gallery[50:].T
    absent, there = int(scores[:100].max(1).argmin()), 100 + int(scores[100:].max(1).argmax())
    queries = [absent, there, 460]
    vectors = data.queries[queries].astype(np.float32)
    found = estimator(vectors, gallery.search(vectors, 12, where), where)
    rows = [row for row in range(50, 300) if where is None or row % 2]
    for query, presence in zip(queries, found, strict=True):
        right, hits = expected(used, data, query, rows)
        assert presence.searched == len(rows) and presence.calibrated == calibrated
        assert presence.probability == pytest.approx(right, abs=1e-4)
        if hits is not None:
            assert presence.hits == pytest.approx(hits, abs=1e-4)
    if calibrated and where is None:
        assert found[0].probability < .5 < found[1].probability


def test_an_answer_does_not_depend_on_how_many_are_shown(gallery, data, calibration, tmp_path):
    write_calibration(tmp_path / 'people/presence.json', calibration)
    searcher = TextToPersonInferencer(SphereEncoder(data), gallery=gallery)
    few, many = searcher(['201'], topk=1)[0], searcher(['201'], topk=60)[0]
    assert few.presence.probability == pytest.approx(many.presence.probability, abs=1e-6)
    assert len(few.hits) == 1
    assert few.hits[0].probability == pytest.approx(many.hits[0].probability)
    assert len(many.hits) == 60 and all(hit.probability <= many.presence.probability
                                        for hit in many.hits)
    assert few.presence.basis.startswith('fitted on')


def test_of_a_query_that_only_denies_presence_says_nothing(tmp_path):
    """It is moved away from what is denied, and no sentence any more."""
    paint_folder(tmp_path / 'crops', 'red', 'red-blue', 'red-green', 'blue', 'green', 'yellow',
                 'black', 'white', 'purple', 'orange')
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'people', presence=True)
    searcher.index(tmp_path / 'crops')
    searcher.encoder.probability = lambda score: .5  # as a model tells that was trained to
    denied, asked = searcher(['a person without a red coat', 'a person in a red coat'])
    assert denied.presence is None and asked.presence is not None
    assert {hit.probability for hit in denied.hits} == {None} != {
        hit.probability for hit in asked.hits}
    liked, = searcher('a person in a red coat', like=asked.hits[0].entry.id)
    assert liked.presence is None and {hit.probability for hit in liked.hits} == {None}
    assert 'red.png' not in [hit.entry.path for hit in denied.hits[:5]]


def test_results_read_back_and_hits_can_be_left_out(gallery, data, calibration, tmp_path):
    write_calibration(tmp_path / 'people/presence.json', calibration)
    result, = TextToPersonInferencer(SphereEncoder(data), gallery=gallery)(['201'])
    written = json.loads(json.dumps(result.to_json()))
    assert written['presence'] == dict(
        probability=result.presence.probability, searched=250, calibrated=True,
        basis=result.presence.basis)
    again = SearchResult.from_json(written)
    assert again.to_json() == written and again.presence.probability == (
        result.presence.probability)
    least = result.hits[1].probability
    left = result.at_least(least)
    assert [hit.rank for hit in left.hits] == [
        hit.rank for hit in result.hits if hit.probability >= least] and 0 < len(left.hits) < 10
    assert left.presence.probability == result.presence.probability
    assert not result.at_least(1).hits and len(result.at_least(0).hits) == 10
    with pytest.raises(BadValue, match='from 0 to 1, got 1.5'):
        result.at_least(1.5)


@pytest.mark.parametrize(('lengths', 'strange'), [
    ([2, 40], True), ([5, 6], True), ([1, 40], False)])
def test_of_sentences_of_another_length_nothing_is_calibrated(gallery, data, calibration, tmp_path,
                                                              lengths, strange):
    """A word where the fit had captions: its evidence is low, whoever is there."""
    write_calibration(tmp_path / 'people/presence.json',
                      replace(calibration, fitted_on=dict(words=lengths)))
    found, = TextToPersonInferencer(SphereEncoder(data), gallery=gallery)(['201'])
    assert found.presence.calibrated != strange
    without, = PresenceEstimator(gallery, None)(
        data.queries[[201]].astype(np.float32),
        gallery.search(data.queries[[201]].astype(np.float32), 12))
    if strange:
        assert found.presence.basis == (
            f'not calibrated for sentences of {lengths[0]} to {lengths[1]} words, '
            'and this one has 1')
        assert found.presence.probability == pytest.approx(without.probability, abs=1e-6)
        assert found.hits[0].probability is None and found.hits[0].estimate > 0
        assert found.presence.basis in describe_presence(found.presence)
    else:
        assert found.presence.probability != pytest.approx(without.probability, abs=1e-3)
        assert found.hits[0].estimate is None


def test_short_sentences_have_the_calibration_that_was_fitted_on_such(gallery, data, calibration,
                                                                      tmp_path):
    short = replace(fit_calibration(world(60, seed=3), fingerprint=FINGERPRINT),
                    bank=calibration.bank, scale=calibration.scale,
                    fitted_on=dict(words=[1, 2], kind='parts of captions'))
    vectors = data.queries[[201]].astype(np.float32)
    hits = gallery.search(vectors, 12)
    both = PresenceEstimator(gallery, replace(calibration, fitted_on=dict(words=[4, 9]),
                                              others=(short,)))
    for sentence, alone in (('red coat', short), ('a man in red', calibration)):
        found, = both(vectors, hits, None, [sentence])
        right, = PresenceEstimator(gallery, replace(alone, fitted_on={}))(vectors, hits)
        assert found.calibrated and found.probability == right.probability
        assert found.hits == right.hits
        assert ('parts of captions' in found.basis) == (alone is short)
    found, = both(vectors, hits, None, ['one two three'])
    assert not found.calibrated and found.basis == (
        'not calibrated for sentences of 4 to 9 words or 1 to 2 words, and this one has 3')


def test_without_a_calibration_it_is_asked_for_and_says_so(gallery, data):
    silent, = TextToPersonInferencer(SphereEncoder(data), gallery=gallery)(['201'])
    assert silent.presence is None and 'presence' not in silent
    assert 'estimate' not in silent.hits[0] and 'probability' not in silent.hits[0]
    result, = TextToPersonInferencer(SphereEncoder(data), gallery=gallery, presence=True)(['201'])
    assert result.presence.basis == 'not calibrated' and not result.presence.calibrated
    assert result.hits[0].probability is None
    assert result.hits[0].estimate == result.hits[0]['estimate'] == pytest.approx(
        result.presence.probability)
    assert SearchResult.from_json(result.to_json()).hits[0].estimate == result.hits[0].estimate
    assert result.at_least(2 * result.hits[5].estimate).hits != result.hits


def test_a_calibration_stands_above_what_a_model_was_trained_to_tell(gallery, data, calibration,
                                                                      tmp_path):
    encoder = SphereEncoder(data)
    encoder.probability = lambda score: .125  # of any pair, as a sigmoid-trained model tells
    told, = TextToPersonInferencer(encoder, gallery=gallery, presence=True)(['201'])
    assert told.hits[0].probability == .125 and told.hits[0].estimate is not None
    write_calibration(tmp_path / 'people/presence.json', calibration)
    told, = TextToPersonInferencer(encoder, gallery=gallery)(['201'])
    assert told.hits[0].probability == pytest.approx(
        told.presence.hits[told.hits[0].entry.id]) != .125
    assert told.hits[0].estimate is None


def test_a_prior_is_told(gallery, data, calibration):
    vectors = data.queries[[201]].astype(np.float32)
    hits = gallery.search(vectors, 10)
    half, few = (PresenceEstimator(gallery, calibration, prior)(vectors, hits)[0].probability
                 for prior in (.5, .1))
    assert few / (1 - few) == pytest.approx(half / (1 - half) / 9)
    with pytest.raises(BadValue, match='between 0 and 1, got 1'):
        PresenceEstimator(gallery, calibration, 1)


def test_of_a_handful_nothing_is_said(data, calibration, tmp_path):
    gallery = open_gallery(tmp_path / 'few', FINGERPRINT)
    gallery.upsert([GalleryEntry(str(row), f'{row}.jpg') for row in range(7)],
                   data.gallery[:7].astype(np.float32))
    vectors = data.queries[[0]].astype(np.float32)
    assert PresenceEstimator(gallery, calibration)(vectors, gallery.search(vectors)) == [None]


def test_statistics_are_kept_until_the_gallery_changes(gallery, data, monkeypatch, tmp_path):
    found = find_statistics(gallery)
    mean, second = gallery_moments(data.gallery[50:])
    assert found.count == 250 and np.abs(found.mean - mean).max() < 1e-6
    assert np.abs(found.second - second).max() < 1e-6
    looked = []
    again = gallery_statistics._look_through
    monkeypatch.setattr(gallery_statistics, '_look_through',
                        lambda *args: looked.append(1) or again(*args))
    assert find_statistics(open_gallery(tmp_path / 'people')).count == 250 and not looked
    assert find_statistics(gallery) is found
    gallery.delete(ids=['60'])
    changed = find_statistics(gallery)
    assert changed.count == 249 and looked == [1]
    rest = np.delete(data.gallery[50:], 10, 0)
    assert np.abs(changed.mean - rest.mean(0)).max() < 1e-6
    kept = tmp_path / 'people' / gallery_statistics.STATISTICS_FILE
    kept.write_bytes(b'damaged')
    assert find_statistics(gallery) is changed and looked == [1]
    assert find_statistics(open_gallery(tmp_path / 'people')).count == 249 and len(looked) == 2
    forget_statistics(str(tmp_path / 'people'))
    assert not kept.exists()


def test_a_large_gallery_is_looked_through_in_part(gallery, monkeypatch):
    monkeypatch.setattr(gallery_statistics, 'MOST_ENTRIES', 40)
    first, second = find_statistics(gallery), gallery_statistics._look_through(gallery, '')
    assert first.count == 250 and (first.mean == second.mean).all()
    assert np.linalg.norm(first.mean) > 0


def test_a_calibration_is_found_beside_gallery_or_model(calibration, tmp_path):
    model, gallery = tmp_path / 'model', tmp_path / 'people'
    model.mkdir()
    assert place_of_calibration(f'hf:{model}') == place_of_calibration(model) == (
        tmp_path / 'model.presence.json')
    assert place_of_calibration('hf:owner/name') is None
    assert find_calibration(str(gallery), FINGERPRINT, str(model)) == (None, '')
    write_calibration(place_of_calibration(model), calibration)
    assert find_calibration(str(gallery), FINGERPRINT, f'hf:{model}')[0] is not None
    assert find_calibration('http://host:1/people', FINGERPRINT, str(model))[0] is not None
    found, reason = find_calibration(str(gallery), dict(FINGERPRINT, model='other'), str(model))
    assert found is None and reason.endswith('model.presence.json is of another model')
    write_calibration(gallery / 'presence.json', replace(calibration, prior=.25))
    assert find_calibration(str(gallery), FINGERPRINT, str(model))[0].prior == .25


def test_a_file_that_cannot_be_used_is_named(gallery, data, calibration, tmp_path):
    other = write_calibration(tmp_path / 'other.json', replace(
        calibration, fingerprint=dict(FINGERPRINT, model='other')))
    with pytest.raises(BadValue, match='other.json is the calibration of another model'):
        TextToPersonInferencer(SphereEncoder(data), gallery=gallery, calibration=other)(['1'])
    (tmp_path / 'people/presence.json').write_text('{}')
    with pytest.raises(BadValue, match='presence.json is no calibration, or damaged'):
        TextToPersonInferencer(SphereEncoder(data), gallery=gallery)(['1'])


def test_pictures_ask_for_nobody(tmp_path):
    """A calibration is of sentences; a query by a picture has none."""
    from fakes import paint
    encoder = ColorEncoder()
    gallery = open_gallery(tmp_path / 'people', encoder.fingerprint)
    colors = ('red', 'green', 'blue', 'yellow', 'black', 'white', 'purple', 'orange')
    gallery.upsert([GalleryEntry(name, f'{name}.png') for name in colors],
                   encoder.encode_images([paint(name) for name in colors]))
    searcher = TextToPersonInferencer(encoder, gallery=gallery, presence=True)
    assert searcher('all in red')[0].presence.searched == 8
    assert searcher.search_image(paint('red'))[0].presence is None
    assert searcher.search_image(paint('red'), texts='blue')[0].presence is None
    assert searcher.similar_to('red')[0].presence is None


def test_a_filter_is_counted_once_until_the_gallery_changes(gallery, data, calibration,
                                                            monkeypatch):
    estimator, where = PresenceEstimator(gallery, calibration), {'camera': 'c1'}
    vectors = data.queries[100:101].astype(np.float32)
    filters, count = [], type(gallery).count

    def counted(self, where=None):
        filters.extend([where] if where else [])
        return count(self, where)

    def searched():
        return estimator(vectors, gallery.search(vectors, 12, where), where)[0].searched

    monkeypatch.setattr(type(gallery), 'count', counted)
    assert [searched(), searched()] == [125, 125] and filters == [where]
    gallery.upsert([GalleryEntry('new', 'new.jpg', camera='c1')],
                   data.gallery[:1].astype(np.float32))
    assert searched() == 126 and filters == [where, where]


def test_presence_as_json():
    presence = Presence(.25, 40, False, 'not calibrated', {'a': .5})
    assert Presence.from_json(presence.to_json()) == replace(presence, hits={})
