"""A tiny model of random weights, and the folder that it is exported to once."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_models import shrink

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def tiny_config(micro_set, tmp_path_factory):
    """Path of a config of tiny towers on the micro set."""
    folder = tmp_path_factory.mktemp('tiny')
    cfg = Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py')
    shrink(cfg, micro_set, folder).dump(folder / 'tiny.py')
    return folder / 'tiny.py'


@pytest.fixture(scope='session')
def tiny_encoder(tiny_config):
    """The model of that config in torch; words weigh so much that captions lie far apart."""
    from mmtbps.search.encoders.torch_encoder import TorchEncoder
    torch.manual_seed(0)
    encoder = TorchEncoder(str(tiny_config), weights='random', device='cpu')
    with torch.no_grad():
        for weight in encoder.model.text_backbone.parameters():
            if weight.ndim > 1:
                weight.mul_(20)
    return encoder


@pytest.fixture(scope='session')
def exported(tiny_encoder, tmp_path_factory):
    """Folder of that model for ONNX Runtime, in both precisions."""
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    from mmtbps.search.encoders.onnx_export import export_encoder
    folder = tmp_path_factory.mktemp('exported') / 'model'
    export_encoder(tiny_encoder, folder, int8=True)
    return folder
