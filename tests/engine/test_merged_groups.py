"""Merged parameter groups: the same options for each weight, the same steps."""

import torch
from mmengine.optim import build_optim_wrapper

from mmtbps.engine import MergedGroupsConstructor

RULES = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, bias_lr_mult=2.0,
             custom_keys={'2': dict(lr_mult=0.1)})


def build(**options):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 4),
                              torch.nn.Linear(4, 1))
    return net, build_optim_wrapper(net, dict(
        type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.1), **options))


def options_of_each(net, wrapper):
    groups = {id(parameter): {key: value for key, value in group.items() if key != 'params'}
              for group in wrapper.optimizer.param_groups for parameter in group['params']}
    return [groups[id(parameter)] for parameter in net.parameters()]


def trained(net, wrapper):
    for step in range(10):
        inputs = torch.randn(16, 6, generator=torch.Generator().manual_seed(step))
        wrapper.update_params((net(inputs) - inputs.sum(1, keepdim=True)).square().mean())
    return list(net.parameters())


def test_every_weight_keeps_its_options_and_its_steps():
    stock = build(paramwise_cfg=RULES)
    merged = build(paramwise_cfg=RULES, constructor=MergedGroupsConstructor)
    assert len(stock[1].optimizer.param_groups) == 8
    assert len(merged[1].optimizer.param_groups) == 4  # weights, biases, norm, custom
    assert options_of_each(*stock) == options_of_each(*merged)
    for expected, parameter in zip(trained(*stock), trained(*merged), strict=True):
        torch.testing.assert_close(parameter, expected, atol=1e-7, rtol=1e-6)


def test_without_rules_there_is_one_group():
    assert len(build(constructor='mmtbps.MergedGroupsConstructor')[1].optimizer.param_groups) == 1

