"""The editor and the gates against the renderer, which knows what is right."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.edit_truth import drawn_evidence, is_right, tell_truth
from drawn_edits import GATES, SEAMS, draw_some

from mmtbps.generation.color.colorspace import lab_to_rgb
from mmtbps.generation.editing.recolor import RecolorEditor
from mmtbps.generation.quality.gates import run_gates

SIZE = (128, 48)


@pytest.fixture(scope='module')
def cases():
    return [(replace(case.request, evidence=drawn_evidence(case.person, case.scene, SIZE)),
             *tell_truth(case.person, case.scene, case.garment, case.request.new_color, SIZE))
            for case in draw_some(40, seed=13, size=SIZE)]


def rate(outcomes):
    return np.mean(list(outcomes))


def test_the_measure_knows_right_from_wrong(cases):
    assert all(is_right(before, lab_to_rgb(truth.renders[truth.new]), truth)
               for _, before, truth in cases)
    assert not any(is_right(before, before, truth) for _, before, truth in cases)
    others = [(before, lab_to_rgb(truth.renders[(truth.new + 5) % len(truth.renders)]), truth)
              for _, before, truth in cases]
    assert rate(is_right(*other) for other in others) <= .05
    for _, before, truth in cases:
        perfect = lab_to_rgb(truth.renders[truth.new])
        columns = np.arange(SIZE[1])[None, :, None]
        half = np.where(columns < np.median(np.nonzero(truth.due)[1]), perfect, before)
        spilt = np.where(truth.others[..., None] & (columns > 40), 255 - before, perfect)
        assert not is_right(before, half, truth) and not is_right(before, spilt, truth)


def edits(cases, known):
    """Make the edits of requests that know so much; tell which are right."""
    requests = [known(request) for request, _, _ in cases]
    results = RecolorEditor().edit(requests)
    return requests, results, np.array([
        is_right(before, np.asarray(result.image), truth)
        for (_, before, truth), result in zip(cases, results, strict=True)])


def test_accepted_edits_are_right_and_more_are_where_parts_are_known(cases):
    requests, results, right = edits(cases, lambda request: replace(request, evidence=None))
    accepted = np.array([all(v.ok for v in run_gates([*GATES, SEAMS], request, result).values())
                         for request, result in zip(requests, results, strict=True)])
    assert right.mean() >= .6
    assert accepted[right].mean() >= .6 and right[accepted].mean() >= .85
    assert edits(cases, lambda request: request)[-1].mean() >= right.mean() + .08
