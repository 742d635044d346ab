"""Calibration of bounds against brute force, and the files it reads and writes."""

import json

import numpy as np
import pytest

from mmtbps.errors import BadValue, MissingFile
from mmtbps.generation.quality import (
    EditStrengthGate,
    LocalityGate,
    MaskGate,
    PlaceGate,
    PreserveGate,
    SeamGate,
)
from mmtbps.generation.quality.bounds import apply_bounds, write_bounds
from mmtbps.generation.quality.calibration import calibrate, choose_bounds
from mmtbps.generation.quality.labels import EditLabel, read_labels, with_gates
from mmtbps.proportions import Proportion, wilson_interval
from mmtbps.records import RecordError


def label(i, kind, **values):
    return EditLabel(f'job{i}', kind, gates={name: dict(value=value)
                                             for name, value in values.items()})


def noisy(count=200, seed=0):
    """Edits whose place tells much and whose strength tells nothing."""
    rng = np.random.default_rng(seed)
    right = rng.random(count) < .6
    place = np.where(right, rng.normal(.8, .1, count), rng.normal(.4, .2, count)).clip(0, 1)
    return right, dict(place=place, edit_strength=rng.random(count))


@pytest.mark.parametrize('right, total, low, high', [
    # Newcombe, Statistics in Medicine 1998, table I, method 3.
    (81, 263, .2553, .3662), (15, 148, .0624, .1605), (0, 20, 0., .1611), (1, 29, .0061, .1718)])
def test_intervals_are_those_of_the_literature(right, total, low, high):
    assert wilson_interval(right / total, total) == pytest.approx((low, high), abs=6e-5)


def test_an_interval_solves_its_equation():
    """The bounds are where the observed share is 1.96 standard errors away."""
    for bound in wilson_interval(.7, 50):
        assert abs(.7 - bound) == pytest.approx(1.959964 * (bound * (1 - bound) / 50) ** .5)


def test_a_proportion_weighs_what_stands_for_more():
    shares = Proportion.of([True, False, True, True], [5, 5, 1, 1])
    assert (shares.right, shares.total) == (3, 4)
    assert shares.share == pytest.approx(7 / 12) and shares.weight == pytest.approx(144 / 52)
    assert Proportion.of([True] * 9 + [False]).interval == wilson_interval(.9, 10)
    assert Proportion.of([]).interval == (0, 1) and '0 of 0' in str(Proportion.of([]))


@pytest.mark.parametrize('side', ['low', 'high'])
@pytest.mark.parametrize('precision', [.8, .9, .95])
def test_one_bound_is_the_loosest_that_reaches_the_precision(side, precision):
    right, values = noisy()
    place = values['place'] if side == 'low' else -values['place']
    bound = choose_bounds(dict(place=place), right, dict(place=[side]), precision)['place'][side]

    def passes(limit):
        return place >= limit if side == 'low' else place <= limit

    reached = [right[passes(limit)].sum() for limit in np.unique(place)
               if right[passes(limit)].mean() >= precision]
    assert right[passes(bound)].mean() >= precision
    assert right[passes(bound)].sum() == max(reached)


def test_bounds_stand_on_the_gates_that_tell_the_edits_apart():
    right, values = noisy()
    bounds = choose_bounds(values, right, dict(place=['low'], edit_strength=['low']), .95)
    assert list(bounds) == ['place'] and list(bounds['place']) == ['low']


def test_two_gates_that_each_see_one_fault_are_both_bounded():
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 3, 300)      # right, misplaced, spilt
    values = dict(place=np.where(kind == 1, .1, .8) + rng.normal(0, .05, 300),
                  preserve=np.where(kind == 2, .7, .1) + rng.normal(0, .05, 300))
    bounds = choose_bounds(values, kind == 0, dict(place=['low'], preserve=['high']), .99)
    assert .3 < bounds['place']['low'] < .7 and .3 < bounds['preserve']['high'] < .6


def test_what_was_not_judged_passes_and_bounds_nothing():
    right, values = noisy()
    values['place'][::2] = np.nan
    kept = np.isnan(values['place']) | (values['place'] >= .5)
    bounds = choose_bounds(values, right, dict(place=['low']), right[kept].mean() - .01)
    assert bounds['place']['low'] < 1
    with pytest.raises(BadValue, match='no bounds of place reach a precision of 0.99 on 200'):
        choose_bounds(values, right, dict(place=['low']), .99)


def labels_of(right, values):
    return [label(i, 'right' if right[i] else ('wrong', 'partial')[i % 2],
                  **{name: float(found[i]) for name, found in values.items()})
            for i in range(len(right))]


def test_a_calibration_counts_what_its_bounds_do():
    right, values = noisy()
    gates = [PlaceGate(), EditStrengthGate(low=.02), LocalityGate()]  # no values of the last
    found = calibrate(labels_of(right, values), gates, .95)
    assert list(found.bounds) == ['place'] and set(found.alone) == {'place', 'edit_strength'}
    ok = (values['place'] >= found.bounds['place']['low']) & (values['edit_strength'] >= .02)
    precision, recall = found.together
    assert (precision.right, precision.total) == (right[ok].sum(), ok.sum())
    assert (recall.right, recall.total) == (right[ok].sum(), right.sum())
    assert precision.share >= .95 and found.held_out[0].share > .85
    assert found.alone['edit_strength'][1].total == right.sum()
    assert gates[0].low == .5 and gates[0].bounds_source is None


def test_a_gate_is_bounded_on_its_own_sides():
    right, values = noisy()
    values = dict(locality=values['place'], mask=-values['place'])
    found = calibrate(labels_of(right, values), [LocalityGate(), MaskGate()], .95)
    assert found.bounds['mask']['high'] < -.4 and set(found.bounds['locality']) == {'high'}


def test_a_bound_that_refuses_right_edits_is_loosened_and_no_other():
    right, values = noisy()
    values['mask'] = np.random.default_rng(1).uniform(.1, .4, len(right))
    gates = [PlaceGate(), EditStrengthGate(low=.5), MaskGate()]
    found = calibrate(labels_of(right, values), gates, .95)
    strength = found.bounds['edit_strength']['low']
    assert .94 < (values['edit_strength'][right] >= strength).mean() < .98
    assert 'mask' not in found.bounds and found.together[0].share >= .95


def several_gates(seed):
    """Edits and gates of which some tell them apart, some mislead, and most are rounded."""
    rng = np.random.default_rng(seed)
    gates = [PlaceGate(), PreserveGate(), MaskGate(), EditStrengthGate(), SeamGate()]
    right = rng.random(rng.integers(20, 150)) < rng.uniform(.3, .95)
    values = {gate.name: (right * rng.choice([-1, -.5, 0, .5, 1, 2]) + rng.normal(
        0, rng.choice([.3, 1]), len(right))).round(rng.integers(0, 4)) for gate in gates}
    return right, values, gates


def test_the_precision_that_was_asked_for_is_reached_by_all_bounds_together():
    """Bounds that stay, or are loosened, count too: alone they may refuse the right edits."""
    reached = 0
    for seed in range(80):
        right, values, gates = several_gates(seed)
        try:
            found = calibrate(labels_of(right, values), gates, .9)
        except BadValue:
            continue
        ok = np.ones(len(right), bool)
        for gate in gates:
            sides = {**{side: getattr(gate, side) for side in ('low', 'high')},
                     **found.bounds.get(gate.name, {})}
            ok &= ~(values[gate.name] < (-np.inf if sides['low'] is None else sides['low']))
            ok &= ~(values[gate.name] > (np.inf if sides['high'] is None else sides['high']))
        assert right[ok].sum() >= .9 * ok.sum() > 0, seed
        assert found.together[0].right == right[ok].sum()
        reached += 1
    assert reached > 60


def test_too_few_labels_and_a_precision_of_one_are_refused():
    right, values = noisy()
    with pytest.raises(BadValue, match='9 of 9 labelled edits are right; bounds need at least 10'):
        calibrate(labels_of(np.ones(9, bool), values), [PlaceGate()])
    for gates in ([], [LocalityGate()]):
        with pytest.raises(BadValue, match='no values of the gates'):
            calibrate(labels_of(right, values), gates)
    for precision in (0, 1, 95):
        with pytest.raises(BadValue, match='between 0 and 1'):
            calibrate(labels_of(right, values), [PlaceGate()], precision)


def test_bounds_travel_through_a_file_with_their_source(tmp_path):
    path = tmp_path / 'bounds.json'
    write_bounds(path, dict(place=dict(low=.62), mask=dict(low=.01, high=.4)), 'by hand', [])
    gates = [PlaceGate(), MaskGate(high=.3), LocalityGate()]
    apply_bounds(gates, path)
    assert gates[0].low == .62 and (gates[1].low, gates[1].high) == (.01, .4)
    assert [gate.bounds_source for gate in gates] == ['by hand', 'by hand', None]
    assert 'bounds_source' not in vars(gates[2])  # manifests without calibrated bounds stay


@pytest.mark.parametrize('change, error, message', [
    (dict(schema='other/1'), RecordError, "schema 'other/1'"),
    (dict(bounds=dict(nose=dict(low=1))), BadValue, 'bounds nose, but no such gate'),
    (dict(bounds=dict(place=dict(least=1))), RecordError, "gate 'place': expected numbers low"),
    (dict(bounds=dict(place=dict(low='1'))), RecordError, "'low': '1'"),
    (dict(bounds=dict(place=dict(low=float('nan')))), RecordError, "'low': nan"),
    (dict(bounds=dict(place=dict(low=.5, high=.4))), BadValue, 'bounds.json: place: nothing lies'),
    (dict(source=None), RecordError, "key 'source' must be a string")])
def test_files_that_hold_no_bounds_are_refused(tmp_path, change, error, message):
    path = tmp_path / 'bounds.json'
    write_bounds(path, dict(place=dict(low=.62)), 'by hand')
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(error, match=message):
        apply_bounds([PlaceGate()], path)
    path.write_text('{')
    with pytest.raises(RecordError, match='broken JSON'):
        apply_bounds([PlaceGate()], path)
    with pytest.raises(MissingFile, match='not found'):
        apply_bounds([PlaceGate()], tmp_path / 'none.json')


def test_labels_travel_through_a_file_and_the_last_one_counts(tmp_path):
    first, second = label(1, 'wrong', place=.1), label(1, 'right', place=None)
    path = tmp_path / 'audit.jsonl'
    path.write_text(''.join(json.dumps(one.to_json()) + '\n'
                            for one in (first, label(2, 'partial', place=.3), second))
                    + '{"job_id": "job3"')  # a kill left it
    with pytest.warns(UserWarning, match='half-written'):
        assert read_labels(path) == dict(job1=second, job2=label(2, 'partial', place=.3))


@pytest.mark.parametrize('line, message', [
    ('{"label": "right"}', "audit.jsonl:1: key 'job_id' is missing"),
    ('{"job_id": "a", "label": "good"}', "label must be one of .*, got 'good'"),
    ('{"job_id": "a", "label": "right", "schema": "x"}', "schema 'x'"),
    ('{"job_id": "a", "label": "right", "gates": {"place": {"value": "high"}}}',
     "gate 'place': key 'value' must be a number or null, got 'high'"),
    *[(f'{{"job_id": "a", "label": "right", "gates": {{"place": {{"value": {number}}}}}}}',
       "gate 'place': key 'value' must be a number or null, got") for number in (
           'NaN', '-Infinity', '1e999', '1' + 400 * '0', 'true')],
    ('{"job_id": "a", "label": "right", "gates": {"place": 1}}', "gate 'place': expected an obj")])
def test_lines_that_are_no_labels_are_refused(tmp_path, line, message):
    (tmp_path / 'audit.jsonl').write_text(line + '\n')
    with pytest.raises(RecordError, match=message):
        read_labels(tmp_path / 'audit.jsonl')
    with pytest.raises(MissingFile, match='a JSON line an edit'):
        read_labels(tmp_path / 'none.jsonl')


def test_labels_without_values_take_those_of_the_run():
    bare, own = EditLabel('a', 'right'), label(2, 'wrong', place=.2)
    filled = with_gates([bare, own], dict(a=dict(place=dict(value=.9))))
    assert filled == [EditLabel('a', 'right', gates=dict(place=dict(value=.9))), own]
    with pytest.raises(BadValue, match='job a: the label has no values'):
        with_gates([bare], {})


@pytest.mark.parametrize('low, high', [(float('nan'), None), (None, float('inf')), ('0.5', None),
                                       (True, None), (.5, .4)])
def test_bounds_that_would_let_all_or_nothing_pass_are_refused(low, high):
    with pytest.raises(BadValue, match='^mask: (low|high|nothing lies)'):
        MaskGate(low, high)
