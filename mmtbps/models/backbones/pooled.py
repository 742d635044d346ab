"""Any feature-map backbone as an image tower."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmtbps.registry import MODELS


@MODELS.register_module()
class PooledBackbone(BaseModule):
    """Wraps an OpenMMLab image backbone whose last output is a feature map or a vector.

    Lets mmpretrain's Swin, ResNet, ConvNeXt and the like be the image tower. There is no
    half-way point to mix at, so feature-level mixup falls back to the pixels.

    Args:
        backbone: config of the backbone, e.g. ``dict(type='mmpretrain.SwinTransformer', ...)``.
        out_dims: width of its last output.

    Example:
        >>> from torch import nn
        >>> backbone = PooledBackbone(nn.Conv2d(3, 4, 1), out_dims=4)
        >>> backbone(torch.zeros(2, 3, 8, 4)).shape
        torch.Size([2, 4])
    """

    def __init__(self, backbone: dict | torch.nn.Module, out_dims: int):
        super().__init__()
        self.backbone = (backbone if isinstance(backbone, torch.nn.Module)
                         else MODELS.build(backbone))
        self.out_dims = out_dims

    def embed(self, images: Tensor, mask: None = None, layer: int = 0) -> Tensor:
        """The images themselves."""
        return images

    def encode(self, hidden: Tensor, mask: None = None, layer: int = 0) -> Tensor:
        """Run the backbone and average its last feature map: ``(N, D)``."""
        output = self.backbone(hidden)
        if isinstance(output, (tuple, list)):
            output = output[-1]
        features = output.flatten(2).mean(-1) if output.ndim == 4 else output
        if features.ndim != 2 or features.shape[1] != self.out_dims:
            raise ValueError(
                f'{type(self.backbone).__name__} gave {tuple(output.shape)}; PooledBackbone needs '
                f'(N, {self.out_dims}, H, W) or (N, {self.out_dims})')
        return features

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` images to ``(N, D)`` features."""
        return self.encode(images)
