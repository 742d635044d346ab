"""Small SigLIP towers of ours with weights that spread features, and inputs for them."""

import torch
from clip_reference import spread_
from transformers import SiglipTextConfig

from mmtbps.models import SigLIPTextTower, SigLIPVisionTower

LAYERS = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3)
VISION = dict(LAYERS, image_size=32, patch_size=8)
TEXT = dict(LAYERS, vocab_size=60, max_position_embeddings=16)
WIDTH = 24
if 'projection_size' in SiglipTextConfig().to_dict():  # newer transformers
    TEXT['projection_size'] = WIDTH = 20


def vision(seed=0, **options):
    return spread_(SigLIPVisionTower(config=VISION, **options), seed).eval()


def text(seed=1):
    return spread_(SigLIPTextTower(config=TEXT), seed).eval()


def caption_ids():
    """Words, end token 59, and padding 1 up to all 16 places."""
    ids = torch.randint(2, 58, (4, 16), generator=torch.Generator().manual_seed(3))
    for row, end in enumerate((3, 7, 5, 15)):
        ids[row, end], ids[row, end + 1:] = 59, 1
    return ids
