"""Any feature-map backbone as an image tower."""

import torch
from torch import Tensor

from mmtbps.registry import MODELS

from .base import Tokens, Tower


@MODELS.register_module()
class PooledBackbone(Tower):
    """An OpenMMLab image backbone whose last output is a feature map or a vector, as a tower.

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

    layers = ()

    def __init__(self, backbone: dict | torch.nn.Module, out_dims: int):
        super().__init__()
        self.backbone = (backbone if isinstance(backbone, torch.nn.Module)
                         else MODELS.build(backbone))
        self.out_dims = out_dims

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return the depth of a weight as the backbone counts its stages, if it does."""
        if not hasattr(self.backbone, 'get_layer_depth'):
            return super().get_layer_depth(param_name, prefix)
        return self.backbone.get_layer_depth(param_name, f'{prefix}backbone.')

    def embed(self, images: Tensor) -> Tokens:
        """Carry the images themselves, ``(N, 3, H, W)``."""
        return Tokens(images)

    def pool(self, tokens: Tokens) -> Tensor:
        """Run the backbone and average its last feature map, ``(N, D)``.

        Raises:
            ValueError: the output is neither a map nor a vector of ``out_dims`` channels.
        """
        features = self._last_output(tokens)
        if features.ndim == 4:
            features = features.flatten(2).mean(-1)
        if features.ndim != 2 or features.shape[1] != self.out_dims:
            raise ValueError(
                f'{type(self.backbone).__name__} gave {tuple(features.shape)}; PooledBackbone '
                f'needs (N, {self.out_dims}, H, W) or (N, {self.out_dims})')
        return features

    def token_features(self, tokens: Tokens) -> Tensor:
        """Return the places of the last feature map, row by row, ``(N, H * W, D)``."""
        output = self._last_output(tokens)
        return output.flatten(2).transpose(1, 2) if output.ndim == 4 else output[:, None]

    def _last_output(self, tokens: Tokens) -> Tensor:
        output = self.backbone(tokens.hidden)
        return output[-1] if isinstance(output, (tuple, list)) else output
