"""Gates on the opinion of a model, with scorers that say what the test wants and with real ones."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_edits import GREEN
from fake_parts import make_plan, run
from PIL import Image
from pretrained_models import save_tiny
from seen_person import SIZE, at, dyed, parsing, picture, request_for, result_of
from tiny_vlm import save_vision, save_vlm

from mmtbps.errors import BadValue
from mmtbps.generation.color import palette
from mmtbps.generation.evidence import PARTS, EditEvidence
from mmtbps.generation.quality import CLIPGate, IdentityGate, RankingGate, VLMJudgeGate
from mmtbps.generation.quality import gates as former_place
from mmtbps.generation.runs.manifest import read_records, read_run
from mmtbps.registry import TASK_UTILS

RIGHT = result_of(dyed(at('upper')), at('upper'))
NAMES = palette()[0]


class Recorder:
    """A scorer that gives what it is told and notes what it was asked."""

    def __init__(self, *answers, reason=None):
        self.answers, self.asked = list(answers), []
        if reason:
            self.reason = lambda image, question: f'{reason} ({question})'

    def __call__(self, images, queries):
        self.asked.append((images, queries))
        return self.answers.pop(0)


def test_the_new_colour_is_compared_with_all_others():
    scores = np.zeros((1, len(NAMES)))
    scores[0, NAMES.index('green')], scores[0, NAMES.index('blue')] = .3, .2
    scorer = Recorder(scores, -scores)
    gate, request = CLIPGate(scorer, low=.05), request_for()
    verdict = gate(request, RIGHT)
    assert verdict.ok and verdict.value == pytest.approx(.1) and verdict.reason == 'next is blue'
    assert scorer.asked[0] == ([RIGHT.image],
                               [f'a person in a {name} shirt' for name in NAMES])
    assert not gate(request, RIGHT).ok


@pytest.mark.parametrize('number', [np.nan, np.inf])
def test_a_score_that_is_no_number_passes_for_none(number):
    with pytest.raises(BadValue, match='ranking: .* no finite number'):
        RankingGate(lambda images, texts: np.full((2, 2), number))(request_for(), RIGHT)


def test_a_scorer_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r'gave \(3,\) scores for 1 images'):
        CLIPGate(Recorder(np.zeros(3)))(request_for(), RIGHT)


def test_the_person_is_compared_without_the_garment():
    scorer = Recorder([[.9]], [[.4]], [[.9]])
    gate = IdentityGate(scorer, low=.8)
    assert gate(request_for(parsing()), RIGHT).ok and not gate(request_for(), RIGHT).ok
    (after, ), (before, ) = scorer.asked[0]
    assert np.array_equal(after, before) and np.asarray(before)[30, 20].tolist() == [128] * 3
    assert np.asarray(before)[12, 20].tolist() == picture()[12, 20].tolist()
    assert scorer.asked[1] == ([RIGHT.image], [request_for().image])
    gate(request_for(parsing()), result_of(dyed(at('face'))))
    (after, ), (before, ) = scorer.asked[2]
    assert not np.array_equal(after, before)


def test_a_garment_that_fills_the_picture_leaves_no_person_to_compare():
    """Two gray pictures are alike whoever stood there."""
    filled = EditEvidence(parts=np.full(SIZE, PARTS.index('upper'), np.uint8))
    scorer = Recorder([[1.]])
    verdict = IdentityGate(scorer)(request_for(filled), RIGHT)
    assert verdict.ok and not verdict.judged and not scorer.asked


def test_the_face_is_judged_where_one_is_seen():
    scorer = Recorder([[.2]])
    gate = IdentityGate(scorer, of='face')
    verdict = gate(request_for(parsing()), RIGHT)
    (after, ), _ = scorer.asked[0]
    assert not verdict.ok and after.size == (12, 12 + 2)
    for evidence in (None, parsing(without=['face'])):
        verdict = gate(request_for(evidence), RIGHT)
        assert verdict.ok and not verdict.judged
    with pytest.raises(ValueError, match="of must be 'person' or 'face', got 'dog'"):
        IdentityGate(scorer, of='dog')


@pytest.mark.parametrize('green, changed, value, ok, decisive', [
    (.9, .2, .8, True, 'Did anything change but the colour of the shirt? no (0.20 yes)'),
    (.9, .7, .3, False, 'Did anything change but the colour of the shirt? yes (0.70 yes)'),
    (.1, .2, .1, False, 'Is the shirt of the person in this picture green? no (0.10 yes)')])
def test_both_questions_must_have_the_right_answer(green, changed, value, ok, decisive):
    scorer = Recorder([[green]], [[changed]], reason='because')
    request = request_for()
    verdict = VLMJudgeGate(scorer)(request, RIGHT)
    assert verdict.value == pytest.approx(value) and verdict.ok == ok
    assert decisive in verdict.reason and 'because' in verdict.reason
    assert verdict.to_json()['reason'] == verdict.reason
    assert [images for images, _ in scorer.asked] == [[RIGHT.image],
                                                      [[request.image, RIGHT.image]]]


@pytest.mark.parametrize('build, text', [
    (lambda: CLIPGate(Recorder(), phrase='a {hue} {noun}'), 'color} and {noun'),
    (lambda: CLIPGate(Recorder(), phrase='a {noun.color} {noun}'), 'color} and {noun'),
    (lambda: CLIPGate(Recorder(), phrase='a {noun[color]}'), 'color} and {noun'),
    (lambda: VLMJudgeGate(Recorder(), asked='Is it {}?'), 'noun}, {region}'),
    (lambda: VLMJudgeGate(Recorder(), kept='Is it {color}?'), 'noun}, {region}')])
def test_texts_that_ask_for_what_is_not_there_are_refused(build, text):
    with pytest.raises(ValueError, match=text):
        build()


def test_settings_of_a_scored_gate_are_in_the_manifest():
    def by_hand(images, queries):
        return np.zeros((len(images), len(queries)))

    assert RankingGate(by_hand, low=.1).digest_fields == dict(
        type='RankingGate', low=.1, scorer=by_hand.__qualname__)  # as in runs of former versions
    gate = CLIPGate(by_hand)
    gate.bounds_source = 'an audit'
    assert gate.digest_fields == dict(type='CLIPGate', low=0., scorer=by_hand.__qualname__,
                                      phrase=gate.phrase, bounds_source='an audit')
    assert former_place.RankingGate is RankingGate


def test_gates_with_models_judge_a_run(tmp_path):
    """Random models of the real classes, whose verdicts mean nothing."""
    clip = dict(type='CLIPScorer', pretrained=str(save_tiny(tmp_path / 'clip', 'clip')))
    gates = [TASK_UTILS.build(gate) for gate in (
        dict(type='CLIPGate', scorer=clip, low=-1.), dict(type='RankingGate', scorer=clip, low=-1.),
        dict(type='IdentityGate', low=-1., scorer=dict(
            type='FeatureScorer', pretrained=str(save_vision(tmp_path / 'vit')))),
        dict(type='VLMJudgeGate', low=0., scorer=dict(
            type='VLMScorer', max_new_tokens=3, pretrained=str(save_vlm(tmp_path / 'vlm')))))]
    make_plan(tmp_path, people=1, images=1)
    summary = run(tmp_path, tmp_path / 'out', gates=gates)
    assert summary.statuses['accepted'] == 2
    for record in read_records(tmp_path / 'out'):
        assert set(record.gates) == {'clip', 'ranking', 'identity', 'vlm_judge'}
        assert record.gates['vlm_judge']['reason'] and record.gates['clip']['reason']
    settings = read_run(tmp_path / 'out')['settings']['gates']
    assert [gate['scorer']['type'] for gate in settings] == [
        'CLIPScorer', 'CLIPScorer', 'FeatureScorer', 'VLMScorer']


def test_hidden_garments_keep_the_size():
    request = replace(request_for(parsing()), image=Image.fromarray(picture()))
    scorer = Recorder([[1.]])
    IdentityGate(scorer)(request, result_of(np.full((*SIZE, 3), GREEN, np.uint8)))
    assert scorer.asked[0][0][0].size == SIZE[::-1]
