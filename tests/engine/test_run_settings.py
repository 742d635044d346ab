"""Settings that a run notes: all that makes another run of it, and nothing of where it lies."""

import copy
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from mmtbps.engine.cfg_options import merge_options
from mmtbps.engine.run_settings import FIXED, FREE, NOTED, compare_settings, describe_run

CFG = dict(
    randomness=dict(seed=0), model=dict(heads={}, mixup=dict(prob=.5)), optim_wrapper=dict(lr=1),
    train_cfg=dict(max_epochs=3), custom_hooks=[
        dict(type='mmtbps.engine.FeatureMixupHook', milestones={0: 0., 10: .5}),
        dict(type='EMAHook', momentum=.1)],
    train_dataloader=dict(batch_size=8, num_workers=2, dataset=dict(
        type='CUHKPEDES', data_root='data', ann_file='a.json', split='train', pipeline=[])))


def describe(**changes):
    cfg = Config(copy.deepcopy(CFG))
    merge_options(cfg, changes)
    return describe_run(SimpleNamespace(cfg=cfg, train_dataloader=SimpleNamespace(
        dataset=SimpleNamespace(metainfo=dict(ann_files={'a.json': 'hash'})), batch_size=8,
        batch_sampler=SimpleNamespace(batch_size=8))))


@pytest.mark.parametrize(('key', 'value', 'line'), [
    ('train_dataloader.dataset.noise_rate', .5, 'records.noise_rate: None, now 0.5'),
    ('train_dataloader.dataset.noise_seed', 1, 'records.noise_seed: None, now 1'),
    ('train_dataloader.dataset.holdout', .1, 'records.holdout: None, now 0.1'),
    ('train_dataloader.dataset.holdout_seed', 3, 'records.holdout_seed: None, now 3'),
    ('train_dataloader.dataset.split', 'test', 'records.split: train, now test'),
    ('custom_hooks.0.milestones', {0: 1.}, 'mixup schedule.milestones.0: 0.0, now 1.0'),
    ('randomness.seed', 7, 'seed: 0, now 7')])
def test_what_would_be_another_run_is_told(key, value, line):
    changes = compare_settings(describe(), describe(**{key: value}), FIXED)
    assert line in changes and all(change.startswith(line.split('.')[0].split(':')[0])
                                   for change in changes)


@pytest.mark.parametrize(('key', 'value'), [
    ('train_dataloader.dataset.data_root', '/elsewhere'), ('train_dataloader.num_workers', 0),
    ('train_dataloader.dataset.data_prefix', dict(img_path='photos')), ('work_dir', 'other'),
    ('train_dataloader.dataset.verify_images', False),
    ('train_dataloader.dataset.allow_outside', True)])
def test_a_place_and_a_check_are_no_other_run(key, value):
    assert compare_settings(describe(), describe(**{key: value}), FIXED + FREE + NOTED) == []


def test_hooks_are_said():
    assert compare_settings(describe(), describe(**{'custom_hooks.1.momentum': .2}), NOTED) == [
        'hooks.EMAHook.momentum: 0.1, now 0.2']


def test_records_inside_other_data_sets_are_compared():
    inner = dict(type='CUHKPEDES', data_root='data', split='train', pipeline=[])
    found = [describe(**{'train_dataloader.dataset': dict(type='ConcatDataset', datasets=[
        inner, dict(inner, **change)])}) for change in ({}, dict(noise_rate=.5))]
    assert compare_settings(*found, FIXED) == ['records.datasets[1].noise_rate: None, now 0.5']


def test_what_an_earlier_version_did_not_note_is_unchanged():
    before = {name: value for name, value in describe().items() if name in (
        'seed', 'data', 'mixup', 'loss')}
    assert compare_settings(before, describe(**{'custom_hooks.0.milestones': {0: 1.}}), FIXED) == []
