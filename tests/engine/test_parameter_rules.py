"""Ordered rules over the names of weights: the options that the published optimizers give each."""

import re

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmtbps.engine import ParameterRulesConstructor
from mmtbps.engine.parameter_rules import apply_rules
from mmtbps.errors import BadValue

IRRA = [dict(contains='cross', lr_mult=5), dict(contains='bias', lr_mult=2, weight_decay=0.),
        dict(contains=['classifier', 'mlm_head'], lr_mult=5)]


@pytest.mark.parametrize('name, lr, decay', [
    ('image_backbone.ln_pre.weight', 1, 4e-5),
    ('image_backbone.ln_pre.bias', 2, 0),
    ('heads.mlm.cross_attn.in_proj_weight', 5, 4e-5),
    ('heads.mlm.cross_attn.in_proj_bias', 2, 0),  # the later rule overrides
    ('heads.mlm.cross_modal_transformer.resblocks.0.ln_1.weight', 5, 4e-5),
    ('heads.identity.classifier.bias', 5, 0),  # the last rule sets no decay
    ('heads.mlm.mlm_head.fc.weight', 5, 4e-5),
    ('heads.mlm.ln_pre_t.weight', 1, 4e-5)])
def test_a_later_rule_overrides_an_earlier_one(name, lr, decay):
    options = dict(dict(lr=1, weight_decay=4e-5), **apply_rules(name, 1, IRRA, lr=1))
    assert options == dict(lr=lr, weight_decay=decay)


class Net(nn.Module):

    def __init__(self):
        super().__init__()
        self.conv, self.cross = nn.Conv2d(3, 2, 1), nn.Linear(2, 2)
        self.norm, self.scale = nn.LayerNorm(2), nn.Parameter(torch.ones(()))


def groups_of(rules, net=None):
    net = net or Net()
    wrapper = build_optim_wrapper(net, dict(
        type='OptimWrapper', constructor='mmtbps.ParameterRulesConstructor',
        optimizer=dict(type='Adam', lr=1., weight_decay=.5), paramwise_cfg=dict(rules=rules)))
    names = {id(weight): name for name, weight in net.named_parameters()}
    return {names[id(weight)]: (group['lr'], group['weight_decay'])
            for group in wrapper.optimizer.param_groups for weight in group['params']}


def test_the_optimizer_holds_each_weight_once_with_its_options():
    found = groups_of([dict(max_ndim=1, weight_decay=0.), dict(contains='cross', lr=.25)])
    assert found == {
        'conv.weight': (1., .5), 'conv.bias': (1., 0.), 'cross.weight': (.25, .5),
        'cross.bias': (.25, 0.), 'norm.weight': (1., 0.), 'norm.bias': (1., 0.), 'scale': (1., 0.)}


def test_frozen_weights_are_left_out_and_get_no_gradient():
    net = Net()
    net.norm.requires_grad_(False)
    found = groups_of([dict(contains='conv.weight', frozen=True)], net)
    assert set(found) == {'conv.bias', 'cross.weight', 'cross.bias', 'scale'}
    assert not net.conv.weight.requires_grad


@pytest.mark.parametrize('paramwise, message', [
    (dict(rules=[dict(containing='x')]), "unknown key 'containing'"),
    (dict(bias_lr_mult=2), r"paramwise_cfg=dict(rules=[...]), got the keys ['bias_lr_mult']"),
    (dict(rules=[dict(frozen=True)]), 'leave no weight to train')])
def test_mistakes_are_named(paramwise, message):
    with pytest.raises(BadValue, match=re.escape(message)):
        ParameterRulesConstructor(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.)),
                                  paramwise)(Net())
