"""RankKMetric inside MMEngine's Evaluator, in one process and in two."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from process_group import run_in_group

from mmtbps.evaluation import RankKMetric, evaluate_ranking
from mmtbps.registry import METRICS

NUM_IMAGES = 13  # no multiple of two processes, nor of the batch size


def make_samples(num_images=NUM_IMAGES, people=5, width=8, seed=0):
    """Make samples as the model returns in predict mode: 1 to 3 captions an image."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, width, generator=draw)
    samples = []
    for index in range(num_images):
        person, captions = index % people, 1 + index % 3
        sample = DataSample(metainfo=dict(
            img_path=f'{index}.jpg', person_id=person + 100, image_id=index,
            captions=['a person'] * captions))
        sample.set_field(centres[person] + torch.randn(width, generator=draw), 'image_feature')
        sample.set_field(centres[person] + torch.randn(captions, width, generator=draw),
                         'text_features')
        samples.append(sample)
    return samples


def run_evaluator(samples, size=None, batch_size=4, **settings):
    evaluator = Evaluator(METRICS.build(dict(type='RankKMetric', **settings)))
    for start in range(0, len(samples), batch_size):
        evaluator.process(data_samples=samples[start:start + batch_size], data_batch=None)
    return evaluator.evaluate(size or len(samples))


def direct(samples, swap=False, **settings):
    """The same numbers by calling the function by hand."""
    texts = torch.cat([s.text_features for s in samples])
    text_ids = [s.person_id for s in samples for _ in s.text_features]
    text_images = [s.image_id for s in samples for _ in s.text_features]
    images = torch.stack([s.image_feature for s in samples])
    image_ids = [s.person_id for s in samples]
    own = [s.image_id for s in samples]
    if swap:
        return evaluate_ranking(images, image_ids, texts, text_ids, query_images=own,
                                gallery_images=text_images, **settings)
    return evaluate_ranking(texts, text_ids, images, image_ids, query_images=text_images,
                            gallery_images=own, **settings)


@pytest.mark.parametrize('cross_image_only', [False, True])
def test_both_directions_through_the_evaluator(cross_image_only):
    samples = make_samples()
    result = run_evaluator(samples, cross_image_only=cross_image_only, chunk_size=3)
    expected = {}
    for direction, swap in (('t2i', False), ('i2t', True)):
        for name, value in direct(samples, swap, cross_image_only=cross_image_only).items():
            expected[f'{direction}/{name.replace("num_", "")}'] = value
    assert result == expected
    assert 0 < result['t2i/R1'] < 100 and result['t2i/R1'] != result['i2t/R1']
    assert (result['t2i/queries'], result['t2i/gallery']) == (25, NUM_IMAGES)
    assert (result['i2t/queries'], result['i2t/gallery']) == (NUM_IMAGES, 25)


def test_settings_choose_the_keys():
    result = run_evaluator(make_samples(), topk=(2,), directions=('t2i',), prefix='cuhk')
    assert list(result) == [f'cuhk/t2i/{name}' for name in (
        'R2', 'mAP', 'mAP_trapz', 'mINP', 'queries', 'gallery', 'unmatched')]


def test_half_precision_features_are_ranked_in_float32():
    samples, rounded = make_samples(), make_samples()
    for half, single in zip(samples, rounded, strict=True):
        for name in ('image_feature', 'text_features'):
            half.set_field(half.get(name).half(), name)
            single.set_field(half.get(name).float(), name)
    assert run_evaluator(samples) == run_evaluator(rounded)


def test_padded_duplicates_do_not_count():
    samples = make_samples()
    assert run_evaluator(samples + samples[:3], size=NUM_IMAGES) == run_evaluator(samples)


def test_features_leave_the_device_once_a_batch(monkeypatch):
    copies, copy = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, 'cpu', lambda self: (copies.append(len(self)), copy(self))[1])
    metric = RankKMetric()
    Evaluator(metric).process(data_samples=make_samples()[:4], data_batch=None)
    assert copies == [4 + 1 + 2 + 3 + 1]  # images and captions


def test_metric_starts_afresh_each_epoch():
    metric = RankKMetric()
    evaluator = Evaluator(metric)
    results = []
    for _ in range(2):
        evaluator.process(data_samples=make_samples(), data_batch=None)
        results.append(evaluator.evaluate(NUM_IMAGES))
    assert results[0] == results[1]


def test_an_image_that_comes_twice_is_refused():
    samples = make_samples()
    with pytest.raises(ValueError, match='image_id 4 came more than once.*test_mode=True'):
        run_evaluator([*samples, samples[4]])


def test_missing_key_names_the_sample():
    sample = make_samples()[3]
    del sample.text_features
    with pytest.raises(KeyError, match=r"3.jpg came .* without \['text_features'\]"):
        run_evaluator([sample])


def test_empty_data_set_is_refused():
    with pytest.raises(ValueError, match='no sample'):
        RankKMetric().evaluate(0)


@pytest.mark.parametrize('directions', [(), ('t2t',), ('t2i', 'x')])
def test_unknown_direction_is_refused(directions):
    with pytest.raises(ValueError, match='directions'):
        RankKMetric(directions=directions)


@pytest.mark.parametrize('refinements', [['KReciprocal'], dict(type='QueryExpansion'), [None]])
def test_refinements_that_are_none_are_refused(refinements):
    with pytest.raises(ValueError, match='refinements must be a list of settings such as dict'):
        RankKMetric(refinements=refinements)


@pytest.fixture
def log_lines():
    """Lines that reach the current MMEngine logger."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def test_protocol_line(log_lines):
    metric = RankKMetric(selection='last epoch, not selected', cross_image_only=True)
    metric.dataset_meta = dict(dataset_name='CUHK-PEDES', split='test',
                               ann_files={'reid_raw.json': '0123456789abcdef' * 4})
    evaluator = Evaluator(metric)
    evaluator.process(data_samples=make_samples(), data_batch=None)
    evaluator.evaluate(NUM_IMAGES)
    assert log_lines == [
        'protocol: CUHK-PEDES, split test | annotations reid_raw.json (sha256 0123456789ab) | '
        't2i 25 queries x 13 gallery, 0 unmatched | i2t 13 queries x 25 gallery, 0 unmatched | '
        'positives: same person, own image left out | checkpoint: last epoch, not selected']


def test_protocol_line_says_what_is_not_in_the_gallery(log_lines):
    metric = RankKMetric()
    metric.dataset_meta = dict(left_out='8 of 21 images left out (missing)',
                               other_size='published with 9 people')
    Evaluator(metric).process(data_samples=make_samples(), data_batch=None)
    metric.evaluate(NUM_IMAGES)
    assert ('| published with 9 people | 8 of 21 images left out (missing) | positives'
            in log_lines[-1])
    assert log_lines[-1].endswith('| checkpoint: unknown')


def test_an_image_without_captions_is_in_the_gallery_alone():
    samples = make_samples()
    for index in (3, 7):
        samples[index].set_field(samples[index].text_features[:0], 'text_features')
    result = run_evaluator(samples)
    queries = sum(len(sample.text_features) for sample in samples)
    assert (result['t2i/queries'], result['t2i/gallery']) == (queries, NUM_IMAGES)
    expected = direct(samples)
    assert all(result[f't2i/{name}'] == expected[name] for name in ('R1', 'mAP', 'mINP'))
    assert result['t2i/mAP'] != run_evaluator(
        [sample for sample in samples if len(sample.text_features)])['t2i/mAP']


def test_distractors_join_the_images_of_the_gallery(tmp_path, log_lines):
    samples = make_samples()
    strangers = torch.randn(60, 8, generator=torch.Generator().manual_seed(1))
    for number, part in enumerate(strangers.split(40)):
        np.save(tmp_path / f'{number}.npy', part.numpy())
    result = run_evaluator(samples, distractors=str(tmp_path))
    without = run_evaluator(samples)
    expected = evaluate_ranking(
        torch.cat([s.text_features for s in samples]),
        [s.person_id for s in samples for _ in s.text_features],
        torch.cat([torch.stack([s.image_feature for s in samples]), strangers]),
        [s.person_id for s in samples] + [-1] * 60)
    assert {key: value for key, value in result.items() if key.startswith('t2i')} == {
        f't2i/{name.replace("num_", "")}': value for name, value in expected.items()}
    assert result['t2i/R1'] < without['t2i/R1'] and result['i2t/R1'] == without['i2t/R1']
    protocol = next(line for line in log_lines if line.startswith('protocol'))
    assert '| t2i 25 queries x 73 gallery, 0 unmatched | i2t 13 queries x 25 gallery' in protocol
    assert f'| gallery with distractors of {tmp_path} |' in protocol


def test_protocol_line_admits_what_it_does_not_know(log_lines):
    run_evaluator(make_samples(), directions=('t2i',))
    assert log_lines[-1].startswith(
        'protocol: unnamed data set, split unknown | annotations unknown | t2i 25 queries')
    assert 'i2t' not in log_lines[-1] and 'own image included' in log_lines[-1]


def _one_of_two_processes(rank, folder):
    """Sharded as MMEngine's loaders do: the last batch is filled up with first samples."""
    os.chdir(folder)
    torch.set_num_threads(1)
    samples = make_samples()
    mine = [samples[index] for index in DefaultSampler(samples, shuffle=False)]
    assert len(mine) == 7
    results = [run_evaluator(mine, size=NUM_IMAGES),
               run_evaluator(samples[rank::2], size=NUM_IMAGES),  # 7 and 6 images
               run_evaluator(samples[:1] if rank == 0 else [], size=1)]
    assert not Path('.dist_test').exists()  # MMEngine's folder for results as pickles
    return results


def test_two_processes_equal_one(tmp_path):
    whole, one = run_evaluator(make_samples()), run_evaluator(make_samples()[:1])
    for results in run_in_group(_one_of_two_processes, 2, tmp_path, str(tmp_path)):
        assert results == [whole, whole, one]
