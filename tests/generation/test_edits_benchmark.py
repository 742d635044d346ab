"""The benchmark of edits knows a right edit from a wrong one, whatever the gates say."""

from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks.edits import draw_cases, judge, measure
from PIL import Image

from mmtbps.generation.color.colorspace import lab_to_rgb
from mmtbps.generation.editing.base import EditResult
from mmtbps.generation.planning.planner import ColorSwitchPlanner
from mmtbps.generation.quality import PlaceGate, PreserveGate
from mmtbps.generation.quality.calibration import calibrate
from mmtbps.generation.quality.gates import CaptionGate, EditStrengthGate
from mmtbps.generation.quality.labels import read_labels

PEOPLE = 16


@pytest.fixture(scope='module')
def cases():
    return draw_cases(ColorSwitchPlanner(), PEOPLE, (96, 36))


def editor_of(cases, paint):
    """An editor that gives what ``paint(case)`` says, with the pixels due as its mask."""
    def edit(requests):
        return [EditResult(request.job_id, Image.fromarray(paint(case)), case.truth.due)
                for request, case in zip(requests, cases, strict=True)]
    return SimpleNamespace(edit=edit)


def perfect(case):
    return lab_to_rgb(case.truth.renders[case.truth.new])


def test_perfect_edits_are_right_and_sources_are_not(cases):
    assert PEOPLE // 2 < len(cases) <= PEOPLE
    row = judge(cases, editor_of(cases, perfect), [CaptionGate()])
    assert (row['right'], row['accepted'], row['clean of the accepted']) == ('100.0 %',) * 3
    row = judge(cases, editor_of(cases, lambda case: case.before), [EditStrengthGate()])
    assert (row['right'], row['accepted'], row['right of the accepted']) == ('0.0 %', '0.0 %', '-')
    assert row['edits'] == len(cases)


def test_blind_gates_are_found_out(cases):
    turns = iter(range(len(cases)))
    row = judge(cases, editor_of(cases, lambda case: perfect(case) if next(turns) % 2
                                 else case.before), [CaptionGate()])
    share = f'{100 * (len(cases) // 2) / len(cases):.1f} %'
    assert (row['right of the accepted'], row['accepted of the right']) == (share, '100.0 %')
    assert row['controls passed'] == f'{4 * len(cases)} of {4 * len(cases)}'


def test_a_change_beside_the_garment_is_not_right(cases):
    def spill(case):
        return np.where(case.truth.others[..., None], 255 - case.before, perfect(case))
    assert judge(cases, editor_of(cases, spill), [CaptionGate()])['right'] == '0.0 %'


def test_evidence_of_the_renderer_is_on_the_requests(cases):
    planner = ColorSwitchPlanner()
    blind, masked, seeing = (draw_cases(planner, 4, (96, 36), known)
                             for known in ('none', 'person', 'parts'))
    for nothing, person, parts in zip(blind, masked, seeing, strict=True):
        assert nothing.request.evidence is person.request.evidence.parts is None
        known = parts.request.evidence
        assert np.array_equal(person.request.evidence.person, known.person)
        garment = known.garment(parts.request.region)
        assert garment[parts.truth.due].mean() > .9


@pytest.mark.slow
def test_labels_of_drawn_edits_bound_the_gates(tmp_path, monkeypatch):
    """The truth of the renderer, in a file that calibrate reads."""
    monkeypatch.setattr('benchmarks.edits._CONTROLS', 2)
    row = measure('pdg_recolor', 18, 'parts', place_gates=True, folder=tmp_path)
    labels = list(read_labels(tmp_path / 'pdg_recolor-parts.jsonl').values())
    assert len(labels) == row['edits'] and {'place', 'preserve'} < set(labels[0].gates)
    right = sum(label.label == 'right' for label in labels)
    assert row['right'] == f'{100 * right / len(labels):.1f} %'
    accepted = sum(label.status == 'accepted' for label in labels)
    assert row['accepted'] == f'{100 * accepted / len(labels):.1f} %'
    assert row['controls passed'].startswith('0 of ')
    assert calibrate(labels, [PlaceGate(), PreserveGate()], .9).together[0].share >= .9
