"""The configs of UP-Person and DM-Adapter as published: settings, and weights that are trained."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmtbps.engine import ParameterRulesConstructor
from mmtbps.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'


def build(path):
    """The model of a config at its full size, without memory, and its optimizer."""
    cfg = Config.fromfile(CONFIGS / path)
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmtbps'):
        cfg.model.pop('data_preprocessor')
        model = MODELS.build(cfg.model)
    settings = dict(type='OptimWrapper', optimizer=cfg.optim_wrapper.optimizer)
    return cfg, model, ParameterRulesConstructor(settings, cfg.optim_wrapper.paramwise_cfg)(model)


def count(weights):
    return sum(weight.numel() for weight in weights)


def trained(model, side):
    return count(weight for weight in getattr(model, f'{side}_backbone').parameters()
                 if weight.requires_grad)


def by_hand(width, depth=12, length=10, rank=32, reduction=8):
    """Weights of the three parts of a tower."""
    waist = width // reduction
    prefix = 2 * length * width + 3
    kv_lora = 2 * (rank * width + width * rank + 1)
    adapters = 2 * (width * waist + waist + waist * width + width + 1)
    return depth * (prefix + kv_lora + adapters)


def test_up_person_trains_7_42_million_of_157():
    cfg, model, wrapper = build('up_person/up_person_cuhk.py')
    assert (trained(model, 'image'), trained(model, 'text')) == (by_hand(768), by_hand(512))
    assert (round(by_hand(768) / 1e6, 2), round(by_hand(512) / 1e6, 2)) == (4.92, 2.50)
    groups = wrapper.optimizer.param_groups
    total = count(weight for group in groups for weight in group['params'])
    assert total == 7_419_816 and count(model.parameters()) == 157_037_480
    assert round(100 * total / count(model.parameters()), 1) == 4.7
    names = {id(weight): name for name, weight in model.named_parameters()}
    for group in groups:
        for weight in group['params']:
            assert group['weight_decay'] == 4e-5 * ('bias' not in names[id(weight)])
            assert group['lr'] == 1e-3
    assert (wrapper.optimizer.defaults['eps'], cfg.train_dataloader.batch_size) == (1e-3, 128)
    assert list(model.heads) == ['sdm'] and model.heads.sdm.temperature == 0.02
    assert cfg.train_cfg.max_epochs == 60 and 'batch_sampler' not in cfg.train_dataloader
    assert [step.in_place for step in cfg.train_dataloader.dataset.pipeline
            if 'in_place' in step] == [True]


def test_low_rank_adapters_train_1_4_million_with_the_projections():
    pytest.importorskip('peft')
    _, model, wrapper = build('clip/clip_b16_lora_cuhk.py')
    layer = {width: 8 * (width + 3 * width) + 8 * (width + width) for width in (768, 512)}
    assert (trained(model, 'image'), trained(model, 'text')) == (12 * layer[768], 12 * layer[512])
    total = count(weight for group in wrapper.optimizer.param_groups for weight in group['params'])
    assert total == 12 * (layer[768] + layer[512]) + 512 * (768 + 512) + 1 == 1_392_641


def test_rstp_takes_smaller_steps():
    cfg = Config.fromfile(CONFIGS / 'up_person/up_person_rstp.py')
    assert cfg.optim_wrapper.optimizer.lr == 1e-4
    assert cfg.train_dataloader.dataset.type.__name__ == 'RSTPReid'


@pytest.mark.parametrize('path', ['dm_adapter/dm_adapter_cuhk.py'])
def test_dm_adapter_trains_16_million(path):
    cfg, model, wrapper = build(path)
    total = count(weight for group in wrapper.optimizer.param_groups for weight in group['params'])
    assert round(total / 1e6) == 16 and wrapper.optimizer.defaults['lr'] == 3e-4
    assert set(cfg.model.peft) == {'mixture'}


def test_the_small_models_freeze_their_necks():
    for path in ('up_person/up_person_drawn.py', 'dm_adapter/dm_adapter_drawn.py'):
        _, model, wrapper = build(path)
        weights = [weight for group in wrapper.optimizer.param_groups for weight in group['params']]
        assert count(weights) == trained(model, 'image') + trained(model, 'text'), path
