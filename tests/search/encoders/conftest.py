"""The tiny model as a checkpoint and as an encoder, and the data set that it is tested on."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmtbps.registry import DATASETS
from mmtbps.search.encoders.torch_encoder import TorchEncoder


@pytest.fixture(scope='module')
def weights(tiny_encoder, tmp_path_factory):
    """A checkpoint as a Runner leaves it."""
    path = tmp_path_factory.mktemp('weights') / 'last.pth'
    torch.save(dict(state_dict=tiny_encoder.model.state_dict(), meta=dict(epoch=1)), path)
    return path


@pytest.fixture(scope='module')
def encoder(tiny_config, weights):
    return TorchEncoder(tiny_config, weights)


@pytest.fixture
def changed_config(tiny_config, tmp_path):
    """A function that gives the path of a copy of the config, changed by its argument."""
    def build(change):
        cfg = Config.fromfile(tiny_config)
        change(cfg)
        cfg.dump(tmp_path / 'changed.py')
        return tmp_path / 'changed.py'
    return build


@pytest.fixture(scope='module')
def items(tiny_config):
    """The test split as the config reads it."""
    with DefaultScope.overwrite_default_scope('mmtbps'):
        dataset = DATASETS.build(Config.fromfile(tiny_config).test_dataloader.dataset)
    return [dataset[i] for i in range(len(dataset))]
