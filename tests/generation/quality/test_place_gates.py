"""Gates of place and posture against evidence made by hand, and against the renderer's truth."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.edit_truth import drawn_evidence
from drawn_edits import GATES, GREEN, draw_some
from seen_person import (
    SIZE,
    at,
    dyed,
    parsing,
    person,
    picture,
    request_for,
    result_of,
    skeleton,
    wrong_place,
)

from mmtbps.generation.evidence import PARTS, EditEvidence
from mmtbps.generation.quality import (
    EditStrengthGate,
    LocalityGate,
    PlaceGate,
    PoseGate,
    PreserveGate,
    run_gates,
)

NAN = float('nan')
RIGHT = result_of(dyed(at('upper')), at('upper'))


def part_of_garment(share):
    """The top of the garment."""
    rows = np.arange(SIZE[0])[:, None]
    top, bottom = 24, 52
    return at('upper') & (rows < top + share * (bottom - top))


def slow_place(garment, changed, reach):
    """The two shares, pixel by pixel."""
    places, near, covered = np.argwhere(changed), 0, 0
    for y, x in places:
        window = garment[max(0, y - reach):y + reach + 1, max(0, x - reach):x + reach + 1]
        near += bool(window.any())
        covered += bool(garment[y, x])
    return min(near / len(places), covered / garment.sum())


def test_a_right_edit_is_proved():
    request = request_for(parsing())
    place, preserve = (gate(request, RIGHT) for gate in (PlaceGate(), PreserveGate()))
    assert place.ok and place.judged and place.value > .9
    assert preserve.ok and preserve.judged and preserve.value == 0


@pytest.mark.parametrize('thing, part', [('face', 'face'), ('wheel', 'background'),
                                         ('hand', 'skin'), ('hair', 'hair'), ('lower', 'lower'),
                                         ('shoes', 'shoes')])
def test_what_is_no_garment_is_refused_though_the_editor_takes_it_for_one(thing, part):
    request, result = request_for(parsing()), wrong_place(thing)
    by_its_mask = run_gates([EditStrengthGate(), LocalityGate()], request, result)
    assert all(verdict.ok for verdict in by_its_mask.values())  # a green face as a green coat
    assert by_its_mask['edit_strength'].value > .8
    place, preserve = (gate(request, result) for gate in (PlaceGate(), PreserveGate()))
    assert not place.ok and place.value < .15
    assert not preserve.ok and preserve.reason == part


def test_a_garment_that_nobody_sees_was_not_edited():
    request = request_for(parsing(without=['upper']))
    verdict = PlaceGate()(request, RIGHT)
    assert (verdict.value, verdict.ok, verdict.judged) == (0., False, True)
    assert verdict.reason == 'no garment of region upper'
    assert PlaceGate()(request_for(parsing()), result_of(picture())).reason == 'no change'


@pytest.mark.parametrize('mask', [
    part_of_garment(.3), part_of_garment(1), at('upper') | at('lower'), at('face') | at('hand'),
    at('upper') | at('wheel') | at('hair')])
def test_the_place_is_that_of_a_slow_count(mask):
    """The change of plain blocks, smoothed, reaches one pixel beyond them."""
    image, gate = dyed(mask), PlaceGate(tolerance=3.)
    changed = np.zeros(SIZE, bool)
    for y, x in np.argwhere((image != picture()).any(-1)):
        changed[max(0, y - 1):y + 2, max(0, x - 1):x + 2] = True
    value = gate(request_for(parsing()), result_of(image)).value
    assert value == pytest.approx(slow_place(at('upper'), changed, 1), abs=.02)


def test_a_third_of_the_garment_is_too_little():
    request = request_for(parsing())
    verdict = PlaceGate()(request, result_of(dyed(part_of_garment(.3)), part_of_garment(.3)))
    assert not verdict.ok and verdict.value == pytest.approx(.32, abs=.05)
    assert PlaceGate()(request, result_of(dyed(part_of_garment(.8)))).ok


def test_beside_a_garment_that_fills_the_picture_nothing_is_judged():
    filled = EditEvidence(parts=np.full(SIZE, PARTS.index('upper'), np.uint8))
    for evidence, reason in ((filled, 'nothing else is seen'), (None, 'no parsing'),
                             (EditEvidence(person=np.ones(SIZE, bool)), 'nothing else is seen')):
        verdict = PreserveGate()(request_for(evidence), RIGHT)
        assert (verdict.ok, verdict.judged, verdict.reason) == (True, False, reason)


def test_the_editors_mask_changes_nothing():
    """Also one that hides the damage."""
    request, image = request_for(parsing()), dyed(at('upper') | at('face'))
    for gate in (PlaceGate(), PreserveGate()):
        values = {gate(request, result_of(image, mask)).value
                  for mask in (None, at('upper'), at('wheel'), np.ones(SIZE, bool))}
        assert len(values) == 1


def test_a_wide_background_hides_no_spill():
    """A strip beside the person is little of the background, and much beside the garment."""
    spilt = at('upper')
    spilt[:26, :8] = True
    verdict = PreserveGate()(request_for(parsing()), result_of(dyed(spilt)))
    assert not verdict.ok and verdict.reason == 'background'


@pytest.mark.parametrize('region, garment', [('upper', 'upper'), ('lower', 'lower')])
def test_the_other_garment_is_no_place(region, garment):
    other = dict(upper='lower', lower='upper')[garment]
    request = request_for(parsing(), region)
    assert PlaceGate()(request, wrong_place(garment)).ok
    assert not PlaceGate()(request, wrong_place(other)).ok
    assert PreserveGate()(request, wrong_place(garment)).ok
    assert PreserveGate()(request, wrong_place(other)).reason == other


def test_what_may_be_of_both_garments_need_not_change():
    """A parsing of joints alone calls the thighs neither shirt nor trousers."""
    parts = parsing().parts.copy()
    parts[44:70, 8:32] = PARTS.index('full')
    for garment in ('upper', 'lower'):
        request = request_for(EditEvidence(parts=parts), garment)
        verdict = PlaceGate()(request, wrong_place(garment))
        assert verdict.ok and verdict.value > .9
        assert not PlaceGate()(request, wrong_place('face')).ok
        between = at(garment) & (parts == PARTS.index('full'))
        assert not PlaceGate()(request, result_of(dyed(between))).ok
    dress = np.where(np.isin(parts, [PARTS.index('upper'), PARTS.index('lower')]),
                     PARTS.index('full'), parts).astype(np.uint8)
    request = request_for(EditEvidence(parts=dress), 'full')
    assert not PlaceGate()(request, result_of(dyed(part_of_garment(.5)))).ok
    assert PlaceGate()(request, result_of(dyed(at('upper') | at('lower')))).ok


@pytest.mark.parametrize('evidence', [None, EditEvidence(), skeleton()])
def test_without_a_parsing_nothing_is_judged(evidence):
    for gate in (PlaceGate(), PreserveGate()):
        verdict = gate(request_for(evidence), wrong_place('face'))
        assert np.isnan(verdict.value) and verdict.ok and not verdict.judged
        assert verdict.to_json()['judged'] is False


def test_the_outline_of_a_person_proves_the_background_alone():
    request = request_for(person())
    assert not PlaceGate()(request, RIGHT).judged
    verdict = PreserveGate()(request, RIGHT)
    assert verdict.ok and verdict.judged
    verdict = PreserveGate(high=.01)(request, wrong_place('wheel'))
    assert not verdict.ok and verdict.reason == 'background'


@pytest.mark.parametrize('moved, value', [
    ({}, 0.), (dict(left_knee=(14, 69)), 0.), (dict(left_knee=(30, 60)), 1 / 17),
    (dict(left_knee=None, nose=(2, 2)), 2 / 17),
    (dict(left_wrist=(2, 20), right_wrist=(38, 20), left_elbow=(4, 24), right_elbow=(36, 24)),
     4 / 17)])
def test_joints_that_moved_or_are_gone(moved, value):
    verdict = PoseGate()(request_for(skeleton()),
                         result_of(picture(), evidence=skeleton(**moved)))
    assert verdict.value == pytest.approx(value) and verdict.ok == (value <= .2)


@pytest.mark.parametrize('columns', [[0, 1], [2], [0, 1, 2]])
def test_a_posture_that_a_model_could_not_compute_is_not_kept(columns):
    lost = skeleton().keypoints.astype(np.float64)
    lost[:, columns] = NAN
    verdict = PoseGate()(request_for(skeleton()),
                         result_of(picture(), evidence=EditEvidence(keypoints=lost)))
    assert verdict.value == 1 and not verdict.ok


def test_a_posture_is_compared_only_where_both_are_seen():
    assert PoseGate.needs_edited_evidence and not PlaceGate.needs_edited_evidence
    few = skeleton(**dict.fromkeys([
        'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'left_elbow',
        'left_wrist', 'left_hip', 'left_knee', 'left_ankle', 'right_knee', 'right_ankle',
        'right_hip']))
    for before, after in [(None, skeleton()), (skeleton(), None), (parsing(), skeleton()),
                          (skeleton(), parsing()), (few, skeleton())]:
        verdict = PoseGate()(request_for(before), result_of(picture(), evidence=after))
        assert np.isnan(verdict.value) and verdict.ok and not verdict.judged
    # A joint that only the result shows says nothing of the source.
    assert PoseGate()(request_for(skeleton(nose=None)),
                      result_of(picture(), evidence=skeleton())).value == 0


def test_evidence_of_another_size_is_refused():
    small = EditEvidence(parts=np.zeros((4, 4), np.uint8))
    for request, result in [(request_for(small), RIGHT),
                            (request_for(), result_of(picture(), evidence=small))]:
        with pytest.raises(ValueError, match=r'j: parts of the evidence is \(4, 4\)'):
            LocalityGate()(request, result)


@pytest.fixture(scope='module')
def seen():
    """Perfect edits of drawn people, with the renderer's parsing."""
    from dataclasses import replace
    drawn = [case for case in draw_some(24) if not case.person.open]
    for case in drawn:
        case.request = replace(case.request,
                               evidence=drawn_evidence(case.person, case.scene, case.mask.shape))
    return drawn


def test_perfect_edits_of_drawn_people_are_proved(seen):
    gates = [PlaceGate(), PreserveGate()]
    verdicts = [run_gates(gates, case.request, case.result(case.after)) for case in seen]
    assert np.mean([all(verdict.ok for verdict in found.values()) for found in verdicts]) >= .95


@pytest.mark.parametrize('way', ['left', 'top', 'blob'])
def test_a_third_of_a_drawn_garment_is_refused(seen, way):
    gates, cases = [*GATES, PlaceGate()], [(case, case.part(way)) for case in seen]
    assert not any(all(verdict.ok for verdict in run_gates(
        gates, case.request, case.result(image)).values()) for case, image in cases)


def test_a_dyed_background_is_refused(seen):
    for case in seen[:10]:
        around = ~case.request.evidence.person
        image = np.where(around[..., None], np.uint8(GREEN), case.after)
        assert not PreserveGate()(case.request, case.result(image)).ok


def joints_of_shorts():
    """Parts as joints alone give them: shorts to the knees, and bare legs below."""
    parts = parsing().parts.copy()
    rows = np.arange(SIZE[0])[:, None]
    parts[at('lower') & (rows < 72)] = PARTS.index('full')
    return EditEvidence(parts=parts), at('lower') & (rows < 72), at('lower') & (rows >= 72)


@pytest.mark.parametrize('noun, ok', [('shorts', True), ('skirt', True), ('jeans', False)])
def test_shorts_need_not_cover_what_may_be_bare_legs(noun, ok):
    evidence, shorts, legs = joints_of_shorts()
    asked = replace(request_for(evidence, 'lower'), noun=noun)
    assert PlaceGate()(asked, result_of(dyed(shorts))).ok == ok
    third = shorts & (np.arange(SIZE[0])[:, None] < 59)
    for wrong in (legs, third, at('upper')):
        verdict = PlaceGate()(replace(asked, noun='shorts'), result_of(dyed(wrong)))
        assert not verdict.ok and verdict.judged
