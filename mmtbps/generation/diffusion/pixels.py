"""Pixels of images as tensors of a diffusion model, and back."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

__all__ = ['images_to_tensor', 'native_size', 'resize_mask', 'tensor_to_image']

_OFF_ASPECT = 8.               # weight of a wrong aspect against a wrong number of pixels
_REACH = .25                   # how far the width may be from the one that gives the pixels


def native_size(image: tuple[int, int], pixels: int, multiple: int) -> tuple[int, int]:
    """Choose a size of an image's aspect and of about so many pixels, in multiples.

    Args:
        image: (height, width) whose aspect counts.
        pixels: Of the size.
        multiple: Both sides are multiples of this.

    Returns:
        (height, width).

    >>> native_size((640, 256), 1024 * 1024, 16), native_size((640, 256), 640 * 256, 32)
    ((1600, 640), (640, 256))
    """
    aspect = image[0] / image[1]
    width = (pixels / aspect) ** .5 / multiple

    def misfit(size: tuple[int, int]) -> float:
        return (_OFF_ASPECT * abs(math.log(size[0] / size[1] / aspect))
                + abs(math.log(size[0] * size[1] / pixels)))

    columns = range(max(1, int(width * (1 - _REACH))), math.ceil(width * (1 + _REACH)) + 1)
    return min(((multiple * max(1, rounded(aspect * column)), multiple * column)
                for column in columns for rounded in (math.floor, math.ceil)), key=misfit)


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
