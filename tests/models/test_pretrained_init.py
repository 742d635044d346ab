"""Weights that a tower begins with: they fit whole, or no training begins."""

import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope
from tiny_models import TINY_VIT as SIZES

from mmtbps.models import StrictPretrainedInit
from mmtbps.models.loading import WeightsMisfit
from mmtbps.registry import MODELS

TINY_VIT = dict(type='mmtbps.OverlapViT', arch=SIZES, img_size=(32, 16), patch_size=8, stride=6)


@pytest.fixture
def build(tmp_path):
    """A function: builds a tiny ViT that begins with the weights of ``state``."""
    before = DefaultScope.get_current_instance()
    init_default_scope('mmtbps')

    def build(state, **settings):
        torch.save(state, tmp_path / 'weights.pth')
        return MODELS.build(dict(TINY_VIT, init_cfg=dict(
            type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'), **settings)))

    yield build
    if before is not None:
        init_default_scope(before.scope_name)


@pytest.fixture
def published():
    return MODELS.build(TINY_VIT).state_dict()


def test_weights_that_fit_are_taken_whole(build, published):
    tower = build({f'image.{key}': value for key, value in published.items()} | {
        'head.weight': torch.ones(1)}, prefix='image.')
    tower.init_weights()
    for key, value in tower.state_dict().items():
        assert torch.equal(value, published[key]), key


@pytest.mark.parametrize('change, words', [
    (lambda state: {f'blocks.{key}': value for key, value in state.items()}, 'is missing'),
    (lambda state: dict(state, **{'ls1.gamma': torch.ones(3)}), 'ls1.gamma is left over'),
    (lambda state: {key: value[..., :-1] if value.ndim > 1 else value
                    for key, value in state.items()}, 'size|copying|misfit')])
def test_others_are_refused_with_the_cure(build, published, change, words):
    tower = build(change(published))
    with pytest.raises(WeightsMisfit, match=rf'weights\.pth does not fit OverlapViT.*({words})'
                       ) as caught:
        tower.init_weights()
    assert caught.value.remedy.action == 'convert_weights'
    assert caught.value.remedy.arguments['kind'] == 'timm'


def test_part_of_them_for_those_who_mean_it(build, published):
    first = next(iter(published))
    tower = build({first: published[first]}, partial=True)
    tower.init_weights()
    assert torch.equal(tower.state_dict()[first], published[first])


def test_the_name_stands_for_it_in_our_scope_only():
    from mmengine.model import PretrainedInit
    from mmengine.registry import WEIGHT_INITIALIZERS
    assert WEIGHT_INITIALIZERS.get('Pretrained') is PretrainedInit
    assert WEIGHT_INITIALIZERS.get('mmtbps.Pretrained') is StrictPretrainedInit
