"""The metric in MMEngine's evaluator: its numbers are those of the galleries it was told."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from presence_worlds import world

from mmtbps.errors import BadValue
from mmtbps.evaluation import OpenSetMetric
from mmtbps.evaluation.presence import fit_calibration, write_calibration


def measure(metric, data):
    """Run the metric as a loop does, a picture at a time with its captions."""
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(dataset_name='Sphere', split='test')
    for place, person in enumerate(data.gallery_ids.tolist()):
        evaluator.process(data_samples=[dict(
            image_feature=torch.from_numpy(data.gallery[place]).float(), person_id=person,
            text_features=torch.from_numpy(data.queries[data.query_ids == person]).float(),
            image_id=place)])
    return evaluator.evaluate(len(data.gallery_ids))


def test_all_but_one_person(caplog):
    """Of a gallery of all but one, the best stranger and the best of all are known."""
    data = world(40, seed=3)
    found = measure(OpenSetMetric(sizes=(39, 200), shares=(.5, )), data)
    scores = data.queries @ data.gallery.T
    own = data.query_ids[:, None] == data.gallery_ids
    # With one person more or less of 40 the largest score hardly changes: a loose, slow bound.
    there, away = scores.max(1), np.where(own, -1, scores).max(1)
    pairs = [1. if a > b else .5 * (a == b) for a in there for b in away]
    assert found['presence/39/50/largest/AUROC'] == pytest.approx(np.mean(pairs), abs=.06)
    assert not any(key.startswith('presence/200') or 'calibrated' in key for key in found)
    assert {key.split('/')[3] for key in found} == {'largest', 'margin', 'running_z', 'label_free'}
    assert 'presence/39/50/margin/AUROC' in found and 'presence/39/50/margin/ECE' not in found


def test_a_calibration_beats_what_is_usually_done(tmp_path):
    pytest.importorskip('sklearn')
    fitted = fit_calibration(world(120, seed=0), fitted_on=dict(dataset='Sphere', split='val'))
    file = write_calibration(tmp_path / 'presence.json', fitted)
    found = measure(OpenSetMetric(sizes=(100, ), calibration=str(file)), world(404, seed=1))
    for share in ('10', '50', '90'):
        of = {key: found[f'presence/100/{share}/{key}'] for key in (
            'calibrated/skill', 'calibrated/ECE', 'largest/skill', 'largest/ECE')}
        assert of['calibrated/skill'] > max(of['largest/skill'], .1)
        assert of['calibrated/ECE'] < min(of['largest/ECE'], .08)


@pytest.mark.parametrize('options, said', [
    (dict(sizes=()), 'numbers of people from 1'), (dict(sizes=(0, )), 'numbers of people from 1'),
    (dict(shares=(1., )), 'between 0 and 1'), (dict(shares=()), 'between 0 and 1')])
def test_what_it_cannot_be_told(options, said):
    with pytest.raises(BadValue, match=said):
        OpenSetMetric(**options)


def test_too_few_people_for_every_size():
    with pytest.raises(BadValue, match=r'got 12 people, and sizes \(50, 200\)'):
        measure(OpenSetMetric(sizes=(50, 200)), world(12, seed=0))
