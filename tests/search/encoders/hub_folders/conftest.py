"""Encoders that other libraries have classes for, tiny."""

import pytest
import torch
import transformers
from mmengine.config import Config
from pretrained_models import save_tiny
from published_checkpoints import clip_state, irra_heads

from mmtbps.models.converters import ConversionOptions, convert_checkpoint
from mmtbps.search.encoders import PretrainedEncoder, TorchEncoder

FIVE = int(transformers.__version__.split('.')[0]) >= 5


def encoder_of(conversion, weights=None):
    config = Config(dict(default_scope='mmtbps', model=conversion.model, test_dataloader=dict(
        dataset=dict(pipeline=conversion.pipeline))))
    return TorchEncoder(config, weights=weights or conversion.state_dict, device='cpu')


def irra(folder, size):
    """A fine-tuned CLIP as IRRA publishes it, and with another cleaning than usual."""
    file, state = folder / 'irra.pth', clip_state(1 + size[0] // 16 * (size[1] // 16))
    torch.save(dict(model={f'base_model.{key}': value for key, value in state.items()}
                    | irra_heads()), file)
    return convert_checkpoint('irra', str(file), ConversionOptions(image_size=size))


def siglip(folder, size):
    save_tiny(folder / 'siglip', 'siglip')
    return convert_checkpoint('hf_siglip', str(folder / 'siglip'),
                              ConversionOptions(image_size=size))


@pytest.fixture(scope='module')
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp('encoders')
    found = {'clip_square': encoder_of(irra(folder, (32, 32))),
             'clip_upright': encoder_of(irra(folder, (64, 32))),
             'siglip_upright': encoder_of(siglip(folder, (32, 16)))}
    if FIVE:
        save_tiny(folder / 'clip', 'clip')
        found['library'] = PretrainedEncoder(f'hf:{folder / "clip"}', 'cpu', aspect='stretch')
    return found
