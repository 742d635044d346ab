"""Small cross-encoders on weights that spread features, and captions of several lengths."""

import pytest
import torch

from mmtbps.models import CrossEncoderRetriever, FusionBERT
from mmtbps.models.backbones.vit import OverlapViT

LENGTHS = (7, 4, 6, 3, 2)
SIZES = dict(width=16, depth=4, heads=2, mlp_width=24, image_dims=12, vocab_size=60,
             context_length=9)
BOTH = pytest.mark.parametrize('options', [
    dict(text_layers=2), dict(text_layers=None, fusion_token=59, segments=0)],
    ids=['albef', 'blip'])


def spread(model, seed=0):
    """Draw weights that keep rows apart: norms near one, matrices of 1.2 / sqrt(fan in)."""
    noise = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if not value.is_floating_point():
            continue
        drawn = torch.randn(value.shape, generator=noise)
        if 'embed' in name or 'cls_token' in name:
            pass
        elif value.ndim > 1:
            drawn *= 1.2 / value[0].numel()**0.5
        else:
            drawn = 0.1 * drawn + (name.endswith('weight'))
        value.copy_(drawn)
    return model.eval()


def build(options=None, **more):
    vit = OverlapViT(dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=24),
                     img_size=(32, 16), patch_size=8, stride=8)
    return spread(CrossEncoderRetriever(
        vit, FusionBERT(**SIZES, **(options or dict(text_layers=2)), dropout=0.0), **more))


def captions(length=7):
    ids = torch.randint(3, 58, (len(LENGTHS), max(LENGTHS)),
                        generator=torch.Generator().manual_seed(1))
    mask = torch.arange(length)[None] < torch.tensor(LENGTHS)[:, None]
    ids = torch.cat([ids, ids.new_full((len(ids), length - ids.shape[1]), 9)], 1)
    ids[:, 0] = 2
    return ids * mask + 5 * ~mask, mask
