"""FSDP through FlexibleRunner on CPUs: two processes with shares of the weights are one process."""

import os
from pathlib import Path

import pytest
import torch
from forked_processes import start_ranks
from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner
from stopped_runs import train_until
from tiny_models import shrink
from torch import nn
from torch.optim import SGD

from mmtbps.engine import ParameterRulesConstructor
from mmtbps.engine.launch import leave_group
from mmtbps.fileio import load_checkpoint_file
from mmtbps.registry import MODELS

CONFIG = Path(__file__).resolve().parents[2] / 'configs/tbps/vit_bert_base_drawn.py'


def config_of(data_root, folder, world):
    """Without Adam, whose steps make much of the last bit of a small gradient."""
    cfg = shrink(Config.fromfile(CONFIG), data_root, folder)
    cfg.model.text_backbone.config.update(hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=1e-2, weight_decay=0.)
    cfg.optim_wrapper.clip_grad = dict(max_norm=1.)
    cfg.train_dataloader.batch_size = 24 // world
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.load_from, cfg.launcher = str(folder.parent / 'start.pth'), 'none'
    return cfg


def full(part):
    return dict(type=f'Full{part}Config', offload_to_cpu=False, rank0_only=False)


def train_shares(rank, data_root, folder, resume):
    """Train one of two processes; the second run goes on after an epoch of the first."""
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet_{resume}', rank=rank, world_size=2)
    cfg = config_of(data_root, folder, 2)
    cfg.launcher = 'pytorch'
    cfg.strategy = dict(
        type='FSDPStrategy',
        model_wrapper=dict(type='MMFullyShardedDataParallel', use_orig_params=True,
                           device_id=torch.device('cpu')),
        state_dict_cfg=dict(state_dict_type='FULL_STATE_DICT', state_dict_config=full('StateDict'),
                            optim_state_dict_config=full('OptimStateDict')))
    if resume:
        cfg.update(resume=True, load_from=None)
    runner = FlexibleRunner.from_cfg(cfg)
    if resume:
        runner.train()
    else:
        train_until(runner, 1)
    model = MODELS.build(config_of(data_root, folder, 2).model)
    own, whole = (sum(weight.numel() for weight in model.parameters())
                  for model in (runner.model, model))
    assert own < .6 * whole
    leave_group()


@pytest.mark.slow
def test_two_processes_with_shares_are_one_process_resumed_too(micro_set, tmp_path):
    whole, shares = tmp_path / 'whole', tmp_path / 'shares'
    whole.mkdir(), shares.mkdir()
    runner = Runner.from_cfg(config_of(micro_set, whole, 1))
    begin = {name: value.clone() for name, value in runner.model.state_dict().items()}
    torch.save(dict(state_dict=begin, meta={}), tmp_path / 'start.pth')
    runner.train()

    for resume in (False, True):
        start_ranks(train_shares, (micro_set, shares, resume), 2)
    one, other = (load_checkpoint_file(folder / 'epoch_2.pth') for folder in (whole, shares))
    assert one['state_dict'].keys() == other['state_dict'].keys()
    assert {key: other['meta'][key] for key in ('epoch', 'iter')} == dict(epoch=2, iter=8)
    for name, value in one['state_dict'].items():
        torch.testing.assert_close(other['state_dict'][name], value, rtol=0, atol=1e-6, msg=name)
    moved = max((value - begin[name]).abs().max() for name, value in one['state_dict'].items())
    assert moved > 1e-3


def test_rules_that_shares_hide_are_refused(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/meet', rank=0, world_size=1)
    try:
        model = torch.distributed.fsdp.FullyShardedDataParallel(
            nn.Linear(4, 4), device_id=torch.device('cpu'), use_orig_params=True)
        for rule, said in (dict(max_ndim=1, weight_decay=0.), 'has max_ndim'), (
                dict(contains='bias', frozen=True), 'has frozen.* by frozen_stages or lora'):
            constructor = ParameterRulesConstructor(
                dict(type='OptimWrapper', optimizer=dict(type=SGD, lr=.1)), dict(rules=[rule]))
            with pytest.raises(ValueError, match=said):
                constructor(model)
    finally:
        torch.distributed.destroy_process_group()
