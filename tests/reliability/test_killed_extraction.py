"""Extraction of features, killed at 20 moments: the same files as of an uninterrupted one."""

import pytest
import torch
from campaigns import content, kill_again_and_again
from killed_processes import ROOT
from mmengine.config import Config
from tiny_models import shrink

import mmtbps.models  # noqa: F401
from mmtbps.registry import MODELS

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def model(micro_set, tmp_path_factory):
    """Paths of a config and a checkpoint, of random weights."""
    folder = tmp_path_factory.mktemp('model')
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'), micro_set, folder)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    torch.save(MODELS.build(cfg.model).state_dict(), folder / 'weights.pth')
    return folder / 'config.py', folder / 'weights.pth'


def test_killed_while_it_encodes(tools, model, micro_set, tmp_path):
    def job(folder, kill, **_):
        folder.mkdir(exist_ok=True)
        return tools.run('tools/extract_features.py', *model, micro_set / 'imgs', folder / 'out',
                         '--part-size', 6, '--device', 'cpu', watch=folder, kill=kill,
                         calls=['mmtbps.search.encoders.torch_encoder:TorchEncoder.encode_images'])

    kill_again_and_again('extract', job, content, tmp_path)
