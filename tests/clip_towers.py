"""Small CLIP towers of ours with weights that spread features, and inputs for them."""

import torch
from clip_reference import spread_

from mmtbps.models import CLIPTextTower, CLIPVisionTower

WORDS, END = 60, 59


def vision(seed=0, **options):
    tower = CLIPVisionTower(**dict(
        dict(width=32, depth=3, heads=4, patch_size=8, img_size=(48, 16), stride=6), **options))
    return spread_(tower, seed).eval()


def text(seed=1, **options):
    tower = CLIPTextTower(**dict(
        dict(width=24, depth=3, heads=3, context_length=16, vocab_size=WORDS), **options))
    return spread_(tower, seed).eval()


def random_images(count=3):
    return torch.randn(count, 3, 48, 16, generator=torch.Generator().manual_seed(2))


def caption_ids():
    """Start 58, words, end 59, padding 0; the last caption is full."""
    ids = torch.randint(1, 57, (4, 12), generator=torch.Generator().manual_seed(3))
    ids[:, 0] = 58
    for row, end in enumerate((3, 7, 5, 11)):
        ids[row, end], ids[row, end + 1:] = END, 0
    return ids
