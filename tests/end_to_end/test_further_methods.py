"""Heads with draws, second passes and state of their own: a stopped run and one never stopped."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from stopped_runs import train_until
from tiny_models import shrink

from mmtbps.engine.launch import build_runner, check_weights, prepare_test
from mmtbps.fileio import load_checkpoint_file

CONFIG = Path(__file__).resolve().parents[2] / 'configs/sen/sen_drawn.py'
HEADS = dict(
    syntbpr=dict(type='SynTBPRHead'), masked=dict(type='NoiseMaskingHead', head=dict(
        type='CMPMHead')),
    explained=dict(type='ExplanationWeightHead', head=dict(
        type='HardnessAwareContrastiveHead', temperature=0.02, neighbours=dict(nearest=2))),
    second=dict(type='SecondCaptionHead', head=dict(
        type='HardnessAwareContrastiveHead', name='second', temperature=0.1, learnable=True)),
    fusion=dict(type='FusionTeacherHead', dims=16, num_heads=2),
    prototype=dict(type='PrototypeAttentionHead', num_classes=24, dims=16))


def config_of(data_root, folder, **changes):
    cfg = shrink(Config.fromfile(CONFIG), data_root, folder)
    cfg.model.heads.update(HEADS)
    pipeline = cfg.train_dataloader.dataset.pipeline
    tokenize = next(step for step in pipeline if 'tokenizer' in step)
    pipeline.insert(-2, dict(type='CaptionView', transforms=[
        dict(type='EasyDataAugmentation'), dict(tokenize)]))
    pipeline[-1].input_keys = ['input_ids_2']
    cfg.train_cfg.update(max_epochs=2, val_interval=3)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    cfg.launcher = 'none'
    cfg.merge_from_dict(changes)
    return cfg


@pytest.fixture(scope='module')
def folders(micro_set, tmp_path_factory):
    whole, parts = tmp_path_factory.mktemp('whole'), tmp_path_factory.mktemp('parts')
    build_runner(config_of(micro_set, whole)).train()
    train_until(build_runner(config_of(micro_set, parts)), 1)
    cfg = config_of(micro_set, parts, resume=True)
    cfg.experiment_name += '_resumed'
    build_runner(cfg).train()
    return whole, parts


def test_a_resumed_run_equals_the_uninterrupted_one(folders):
    first, one, other = (load_checkpoint_file(path)['state_dict'] for path in (
        folders[0] / 'epoch_1.pth', *(folder / 'epoch_2.pth' for folder in folders)))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-6, rtol=0, msg=name)
    for name in ('prototype.prototypes', 'restoration.mask_token', 'fusion.gate.0.weight',
                 'second.head.log_temperature'):
        assert not torch.equal(first[f'heads.{name}'], one[f'heads.{name}']), name
    assert one['heads.prototype.seen'].all()


def test_a_test_has_none_of_it(folders, micro_set, tmp_path):
    checkpoint = str(folders[0] / 'epoch_2.pth')
    cfg = config_of(micro_set, tmp_path)
    cfg.experiment_name += '_tested'
    prepare_test(cfg, checkpoint)
    runner = build_runner(cfg)
    check_weights(runner, checkpoint)
    assert 0 <= runner.test()['t2i/R1'] <= 100 and not runner.model.heads
    assert not [name for name, _ in runner.model.named_parameters() if 'heads' in name]
