"""The fused optimizers of the schedules compute what the plain ones compute."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/tbps'
SCHEDULES = ['vit_bert_base_drawn', 'vit_bert_base_cuhk']  # AdamW by name of weight, Adam


def build(config, fused, scaled=False):
    """A small net and the optimizer wrapper of a config; ``scaled``: with loss scaling on CPU."""
    cfg = Config.fromfile(CONFIGS / f'{config}.py').optim_wrapper
    assert cfg.optimizer.fused
    cfg.optimizer.update(fused=fused, lr=1e-2)
    if scaled:
        cfg.update(type='mmtbps.MixedPrecisionOptimWrapper', dtype='float16')
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 1))
    wrapper = build_optim_wrapper(net, cfg)
    if scaled:
        wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**8)
    return net, wrapper


def train(net, wrapper, steps, first=0, spoil=()):
    """Full-precision steps; the loss of those in ``spoil`` is infinite."""
    for step in range(first, first + steps):
        inputs = torch.randn(16, 6, generator=torch.Generator().manual_seed(step))
        loss = (net(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        wrapper.update_params(loss * (float('inf') if step in spoil else 1))
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize('config', SCHEDULES)
def test_fused_is_plain(config):
    start = train(*build(config, fused=False), steps=0)
    plain, fused = (train(*build(config, fused=fused), steps=20) for fused in (False, True))
    torch.testing.assert_close(fused, plain, atol=1e-6, rtol=1e-6)
    assert (plain - start).abs().max() > 0.05


def test_weights_keep_their_own_settings():
    net, wrapper = build('vit_bert_base_drawn', fused=True)
    groups = {id(parameter): group for group in wrapper.optimizer.param_groups
              for parameter in group['params']}
    groups = [groups[id(parameter)] for parameter in net.parameters()]
    assert [group['weight_decay'] for group in groups] == [0.02, 0, 0, 0, 0.02, 0]
    assert all(group['fused'] for group in groups)


@pytest.mark.parametrize('config', SCHEDULES)
def test_a_scaled_loss_changes_nothing_and_an_infinite_one_is_skipped(config):
    net, wrapper = build(config, fused=True, scaled=True)
    plain, plain_wrapper = build(config, fused=False)
    expected = train(plain, plain_wrapper, steps=3)
    expected = train(plain, plain_wrapper, steps=3, first=4)
    torch.testing.assert_close(train(net, wrapper, steps=7, spoil={3}), expected,
                               atol=1e-5, rtol=1e-5)
    assert wrapper.loss_scaler.get_scale() == 2.0**7


@pytest.mark.parametrize('config', SCHEDULES)
@pytest.mark.parametrize('saved, loaded', [(False, True), (True, False)])
@pytest.mark.parametrize('scaled', [False, True])
def test_a_checkpoint_of_the_other_kind_is_resumed(config, saved, loaded, scaled):
    net, wrapper = build(config, saved, scaled)
    train(net, wrapper, steps=4)
    state, weights = wrapper.state_dict(), net.state_dict()
    expected = train(*build(config, fused=False), steps=8)

    resumed, resumed_wrapper = build(config, loaded, scaled)
    resumed.load_state_dict(weights)
    resumed_wrapper.load_state_dict(state)
    torch.testing.assert_close(train(resumed, resumed_wrapper, steps=4, first=4), expected,
                               atol=1e-5, rtol=1e-5)
    if scaled:
        assert {group['fused'] for group in resumed_wrapper.optimizer.param_groups} == {loaded}
