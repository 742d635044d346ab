"""A pytest plugin: open_clip, where it is installed, and a tiny random model as it saves one."""

import copy
import json

import pytest
import torch
from pretrained_models import spread

from mmtbps.compat import torchvision_or_stub

CONFIG = dict(
    model_cfg=dict(
        embed_dim=24, vision_cfg=dict(image_size=32, layers=2, width=64, patch_size=8),
        text_cfg=dict(context_length=16, vocab_size=49408, width=64, heads=2, layers=2)),
    preprocess_cfg=dict(mean=[.4, .5, .6], std=[.2, .3, .25], interpolation='bicubic',
                        resize_mode='shortest'))


@pytest.fixture
def open_clip():
    """The library, if it is installed beside torchvision."""
    with torchvision_or_stub() as kind:
        if kind == 'stub':
            pytest.skip('torchvision is not installed')
        return pytest.importorskip('open_clip')


@pytest.fixture
def config():
    """A copy of the settings of the tiny model, to change."""
    return copy.deepcopy(CONFIG)


@pytest.fixture
def save_open_clip(open_clip, tmp_path):
    """A function that saves a random model of a config and returns its folder."""
    from safetensors.torch import save_file

    def save(config):
        (tmp_path / 'open_clip_config.json').write_text(json.dumps(config))
        torch.manual_seed(0)
        network = open_clip.CLIP(**json.loads(json.dumps(config['model_cfg'])))
        spread(network)
        save_file(network.state_dict(), tmp_path / 'open_clip_model.safetensors')
        return tmp_path
    return save


@pytest.fixture
def folder(save_open_clip, config):
    """A random model as open_clip saves one."""
    return save_open_clip(config)
