"""Pixels of images as tensors of a diffusion model, and back."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

__all__ = ['images_to_tensor', 'resize_mask', 'tensor_to_image']


def images_to_tensor(images: Sequence[Image.Image], size: tuple[int, int]) -> Tensor:
    """Convert RGB images, resized to (height, width), to ``(N, 3, H, W)`` in [-1, 1]."""
    arrays = [np.asarray(image.convert('RGB').resize(size[::-1], Image.Resampling.BICUBIC))
              for image in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 127.5 - 1


def tensor_to_image(image: Tensor, size: tuple[int, int]) -> Image.Image:
    """Convert ``(3, H, W)`` in about [-1, 1] to an RGB image of (width, height)."""
    array = ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(array.permute(1, 2, 0).cpu().numpy()).resize(
        size, Image.Resampling.BICUBIC)


def resize_mask(mask: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask, ``(h, w)`` bool, to ``(H, W)`` of an image of (width, height)."""
    resized = F.interpolate(mask[None, None].float(), size=size[::-1])
    return resized[0, 0].bool().cpu().numpy()
