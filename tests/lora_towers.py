"""A tiny tower of every family for low-rank adapters, on weights that spread features."""

import torch
from clip_reference import spread_
from text_towers import config_of
from tiny_models import TINY_VIT

from mmtbps.models import (
    BERTBackbone,
    CLIPTextTower,
    CLIPVisionTower,
    SigLIPTextTower,
    SigLIPVisionTower,
)
from mmtbps.models.backbones.vit import OverlapViT

IMAGE = dict(img_size=(32, 16))
LAYERS = dict(hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=3)
#: A builder, and the linear layers of the attention in each of its two layers.
TOWERS = dict(
    vit=(lambda: OverlapViT(TINY_VIT, patch_size=8, stride=6, **IMAGE), 2),
    clip_vision=(lambda: CLIPVisionTower(24, 2, 8, stride=6, heads=3, **IMAGE), 2),
    siglip_vision=(lambda: SigLIPVisionTower(
        config=dict(LAYERS, image_size=32, patch_size=8), **IMAGE), 4),
    bert=(lambda: BERTBackbone(config=config_of('bert')), 4),
    distilbert=(lambda: BERTBackbone(config=config_of('distilbert'), pooling='cls'), 4),
    mpnet=(lambda: BERTBackbone(config=config_of('mpnet'), pooling='mean'), 4),
    modernbert=(lambda: BERTBackbone(
        config=config_of('modernbert', num_hidden_layers=2), pooling='cls'), 2),
    clip_text=(lambda: CLIPTextTower(20, 2, 12, 50, heads=2), 2),
    siglip_text=(lambda: SigLIPTextTower(config=dict(
        LAYERS, vocab_size=50, max_position_embeddings=9, bos_token_id=None, eos_token_id=49)), 4))


def tower(family):
    """A tower of random weights in double precision."""
    return spread_(TOWERS[family][0]()).double().eval()


def inputs_of(family):
    """Three images, or three captions of which two are padded."""
    generator = torch.Generator().manual_seed(1)
    if 'vi' in family:
        return (torch.randn(3, 3, 32, 16, generator=generator, dtype=torch.double), )
    ids = torch.randint(3, 48, (3, 9), generator=generator)
    lengths = torch.tensor([9, 5, 7])
    ids[torch.arange(3), lengths - 1] = 49
    mask = torch.arange(9) < lengths[:, None]
    return ids * mask, mask


def stir_(module, seed=2):
    """Give the adapters of a module weights that change its features much."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if '.lora_' in name:
                weight.normal_(0, 0.7 * weight.shape[1]**-0.5, generator=generator)
    return module
