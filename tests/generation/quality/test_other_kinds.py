"""Gates and controls of edits that are not of colour: what each judges, and what it lets be."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_edits import GREEN
from seen_person import SIZE, at, dyed, parsing, person, picture, request_for, result_of, skeleton

from mmtbps.errors import BadValue
from mmtbps.generation.editing import EDIT_KINDS, RecolorEditor
from mmtbps.generation.evidence.base import merge_evidence
from mmtbps.generation.quality import (
    CaptionGate,
    ChangeGate,
    EditStrengthGate,
    IdentityGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    PlaceGate,
    PoseGate,
    PreserveGate,
    RankingGate,
    SanityGate,
    SeamGate,
    VLMJudgeGate,
    negative_controls,
)

#: Name of a gate -> the kinds that it judges, told by hand.
JUDGED = dict(
    caption='color garment pattern accessory background weather style posture',
    change='color garment pattern accessory background weather style posture',
    edit_strength='color', seam='color', locality='color garment pattern',
    keep_colors='color garment pattern', mask='color garment pattern',
    sanity='color garment pattern accessory background weather style posture',
    place='color garment pattern', preserve='color garment pattern background',
    pose='color garment pattern accessory background weather style',
    ranking='color garment pattern accessory',
    identity='color garment pattern accessory background weather style posture',
    vlm_judge='color garment pattern accessory background weather style posture')
WORN = ('garment', 'pattern', 'accessory')
SCENES = ('background', 'weather', 'style', 'posture')


def scorer(images, queries):
    return np.full((len(images), len(queries)), .6)


def all_gates():
    return [CaptionGate(), ChangeGate(), EditStrengthGate(), SeamGate(), LocalityGate(),
            KeepColorsGate(), MaskGate(), SanityGate(), PlaceGate(), PreserveGate(), PoseGate(),
            RankingGate(scorer), IdentityGate(scorer), VLMJudgeGate(scorer)]


def other(kind, evidence=None, captions=('A man in a red shirt.', 'A man in a red hoodie.'),
          region='upper', instruction='Change it.'):
    """A request of another kind than colour, of the person of plain blocks."""
    before, after = captions if kind not in SCENES else (captions[0], captions[0])
    return replace(request_for(evidence), kind=kind, instruction=instruction,
                   region='' if kind in SCENES else region, noun='' if kind in SCENES else 'shirt',
                   source_captions=(before, ), target_captions=(after, ), caption_index=0,
                   old_color=None, new_color=None, source_span=None, target_span=None,
                   phrase_span=None, target_phrase_span=None)


@pytest.mark.parametrize('kind', EDIT_KINDS)
def test_a_gate_judges_the_kinds_it_is_meant_for_and_says_so_of_others(kind):
    seen = merge_evidence([parsing(), skeleton()])
    request = request_for(seen) if kind == 'color' else other(kind, seen)
    result = result_of(dyed(at('upper')), at('upper'), evidence=skeleton())
    verdicts = {gate.name: gate(request, result) for gate in all_gates()}
    assert verdicts.keys() == JUDGED.keys()
    for name, verdict in verdicts.items():
        assert verdict.judged == (kind in JUDGED[name].split()), name
        if not verdict.judged:
            assert verdict.ok and verdict.reason == f'does not judge edits of kind {kind}'


def test_every_kind_is_told():
    assert set(' '.join(JUDGED.values()).split()) == EDIT_KINDS.keys()


@pytest.mark.parametrize('kind, captions, wrong', [
    ('garment', ('A man in a red shirt.', 'A man in a red hoodie.'), 0),
    ('garment', ('A man in a red shirt.', 'A man in a green hoodie.'), 1),
    ('garment', ('A man in a red shirt and blue pants.', 'A man in a blue hoodie and red pants.'),
     1),
    ('garment', ('A man in a red shirt.', 'A man in a red shirt.'), 1),
    ('pattern', ('A man in a red shirt.', 'A man in a red plaid shirt.'), 0),
    ('accessory', ('A man in a red shirt.', 'A man in a red shirt with a black backpack.'), 0),
    ('accessory', ('A man in a red shirt.', 'A man in a blue shirt with a black backpack.'), 1)])
def test_captions_say_what_was_asked_and_no_other_colour(kind, captions, wrong):
    region = 'bag' if kind == 'accessory' else 'upper'
    verdict = CaptionGate()(other(kind, captions=captions, region=region), result_of(picture()))
    assert (verdict.value, verdict.ok) == (wrong, not wrong)


@pytest.mark.parametrize('kind', SCENES)
def test_captions_of_a_scene_stay(kind):
    assert CaptionGate()(other(kind), result_of(picture())).value == 0
    with pytest.raises(BadValue, match='j: .*captions stay as they are'):
        replace(other(kind), target_captions=('A man in a red hoodie.', ))


def test_a_picture_that_is_as_it_was_is_refused():
    changed = dyed(at('upper'))
    share = (changed != picture()).any(-1).mean()
    assert ChangeGate()(other('style'), result_of(picture())).ok is False
    verdict = ChangeGate(low=.1)(other('style'), result_of(changed))
    assert verdict.ok and verdict.value == pytest.approx(share, abs=.05)  # a blurred outline


def of_background(color=GREEN):
    image = picture()
    image[parsing().parts == 0] = color
    return image


@pytest.mark.parametrize('evidence, part', [(parsing(), 'face'), (person(), 'person')])
def test_a_new_background_leaves_the_person(evidence, part):
    request, gate = other('background', evidence), PreserveGate()
    right = gate(request, result_of(of_background()))
    assert right.ok and right.judged and right.value == 0
    image = of_background()
    image[at('face')] = GREEN
    wrong = gate(request, result_of(image))
    assert (not wrong.ok or part == 'person') and wrong.value > 0 and wrong.reason == part


def test_of_a_person_alone_what_changed_is_counted_pixel_by_pixel():
    image = of_background()
    image[at('upper')] = GREEN
    verdict = PreserveGate()(other('background', person()), result_of(image))
    ys, xs = np.nonzero(parsing().parts)
    inside = [(y, x) for y, x in zip(ys, xs, strict=True)
              if (parsing().parts[max(0, y - 1):y + 2, max(0, x - 1):x + 2] > 0).all()]
    changed = [(image[y, x] != picture()[y, x]).any() for y, x in inside]
    assert not verdict.ok and verdict.value == pytest.approx(np.mean(changed), abs=.05)


@pytest.mark.parametrize('kind', [*WORN, *SCENES])
def test_only_controls_that_are_wrong_whatever_was_asked_are_tried(kind):
    result, stranger = result_of(dyed(at('upper')), at('upper')), result_of(picture()).image
    controls = negative_controls(other(kind, parsing()), result, stranger)
    assert list(controls) == ['unedited', 'other_person']
    request, control = controls['unedited']
    assert not ChangeGate()(request, control).ok


def test_the_judge_is_asked_for_the_instruction():
    asked = []

    def note(images, questions):
        asked.extend(questions)
        return np.full((1, 1), .9 if len(asked) == 1 else .1)

    request = other('weather', instruction='Let it snow.')
    assert VLMJudgeGate(note)(request, result_of(of_background())).ok
    assert all('Let it snow.' in question for question in asked) and len(set(asked)) == 2


def test_the_person_is_compared_whole_where_no_garment_changes():
    asked = []

    def note(images, queries):
        asked.append((images[0], queries[0]))
        return np.ones((1, 1))

    seen = parsing()
    assert seen.part('upper').any()
    IdentityGate(note)(other('background', seen), result_of(of_background()))
    (after, before), = asked
    assert np.array_equal(np.asarray(before), picture())
    assert np.array_equal(np.asarray(after), of_background())


@pytest.mark.parametrize('changes, message', [
    (dict(kind='mood'), 'no edits of kind .mood.; there are color, garment'),
    (dict(instruction=' '), 'j: an edit of kind .garment. needs an instruction'),
    (dict(kind='color'), 'j: an edit of colour needs colours and their spans')])
def test_what_a_kind_needs_is_asked_for(changes, message):
    with pytest.raises(BadValue, match=message):
        replace(other('garment'), **changes)


def test_an_editor_of_colours_refuses_the_rest():
    with pytest.raises(BadValue, match='j: RecolorEditor makes edits of kind color, not garment'):
        RecolorEditor().edit([other('garment')])
    assert SIZE == picture().shape[:2]
