"""The loop that one writes for the features of photographs: transformers, Pillow, a numpy file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image


def load_plain(folder: str) -> tuple[transformers.CLIPModel, Callable]:
    """Load model and processor as they are saved; the processor works on Pillow."""
    five = int(transformers.__version__.split('.')[0]) >= 5
    backend = dict(backend='pil') if five else dict(use_fast=False)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, **backend)
    return transformers.CLIPModel.from_pretrained(folder).eval(), processor


@torch.inference_mode()
def plain_index(model: transformers.CLIPModel, processor: Callable,
                files: Sequence[Path], out: Path, batch: int) -> None:
    """Read, decode, encode and store, batch after batch."""
    features = []
    for start in range(0, len(files), batch):
        images = [Image.open(path).convert('RGB') for path in files[start:start + batch]]
        inputs = processor(images=images, return_tensors='pt')
        found = model.get_image_features(pixel_values=inputs['pixel_values'])
        found = found if torch.is_tensor(found) else found.pooler_output
        features.append((found / found.norm(dim=-1, keepdim=True)).numpy())
    np.save(out, np.concatenate(features))
