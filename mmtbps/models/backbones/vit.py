"""Overlapping-patch Vision Transformer; the one file that imports mmpretrain's model zoo."""

import math

import torch
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from mmtbps.registry import MODELS


@MODELS.register_module()
class OverlapViT(VisionTransformer):
    """mmpretrain's ViT on overlapping patches, cut in two halves for feature-level mixup.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084: a 384 x 128 image in 16 x 16 patches every 12 pixels
    gives a 31 x 10 grid, 311 tokens with the class token. The feature is the class token
    after the final norm.

    Args:
        arch: name or dict of sizes, as in mmpretrain.
        img_size: (height, width) in pixels.
        patch_size: side of a patch in pixels.
        stride: step between patches in pixels.
        interpolate_mode: how a position embedding of another grid is resized on loading;
            ``'bilinear'`` equals the official code.
        source_grid: (rows, columns) of the checkpoint's position embedding; needed only if
            it is neither square nor this model's own.
        **kwargs: further arguments of mmpretrain's ``VisionTransformer``.

    Example:
        >>> vit = OverlapViT(dict(embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8))
        >>> vit.patch_resolution
        (31, 10)
        >>> vit(torch.zeros(2, 3, 384, 128)).shape
        torch.Size([2, 8])
    """

    def __init__(self,
                 arch: str | dict = 'base',
                 img_size: tuple[int, int] = (384, 128),
                 patch_size: int = 16,
                 stride: int = 12,
                 interpolate_mode: str = 'bilinear',
                 source_grid: tuple[int, int] | None = None,
                 **kwargs):
        # mmpretrain pads the corner by default, which would add a row and a column.
        super().__init__(arch=arch, img_size=img_size, patch_size=patch_size,
                         interpolate_mode=interpolate_mode,
                         patch_cfg=dict(stride=stride, padding=0), **kwargs)
        self.source_grid = source_grid
        self.out_dims = self.embed_dims

    def embed(self, images: Tensor, mask: None = None, layer: int = 0) -> Tensor:
        """Images to hidden states after the embedding and the first ``layer`` layers.

        Args:
            images: ``(N, 3, H, W)``, normalised.
            mask: ignored; there is no padding in images.
            layer: how many transformer layers belong to this half.

        Returns:
            ``(N, 1 + rows * columns, D)``.
        """
        hidden, grid = self.patch_embed(images)
        hidden = torch.cat([self.cls_token.expand(len(hidden), -1, -1), hidden], dim=1)
        hidden = hidden + resize_pos_embed(self.pos_embed, self.patch_resolution, grid,
                                           self.interpolate_mode, self.num_extra_tokens)
        return self._run(self.pre_norm(self.drop_after_pos(hidden)), 0, layer)

    def encode(self, hidden: Tensor, mask: None = None, layer: int = 0) -> Tensor:
        """Hidden states to features, through the layers that ``embed`` left.

        Args:
            hidden: ``(N, L, D)`` from :meth:`embed` with the same ``layer``.
            mask: ignored.
            layer: the first layer of this half.

        Returns:
            ``(N, D)``, not normalised.
        """
        hidden = self._run(hidden, layer, len(self.layers))
        return (self.ln1(hidden) if self.final_norm else hidden)[:, 0]

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` images to ``(N, D)`` features."""
        return self.encode(self.embed(images))

    def train(self, mode: bool = True) -> 'OverlapViT':
        """As in every module; mmpretrain's own returns None, which breaks ``model.eval()``."""
        super().train(mode)
        return self

    def _run(self, hidden: Tensor, first: int, last: int) -> Tensor:
        for block in self.layers[first:last]:
            hidden = block(hidden)
        return hidden

    def _prepare_pos_embed(self, state_dict: dict, prefix: str, *_, **__) -> None:
        """Resize a checkpoint's position embedding from any grid while it is loaded."""
        name = prefix + 'pos_embed'
        source = state_dict.get(name)
        if source is None or source.shape == self.pos_embed.shape:
            return
        patches = source.shape[1] - self.num_extra_tokens
        side = math.isqrt(patches)
        grid = self.source_grid or (side, side)
        if grid[0] * grid[1] != patches:
            raise ValueError(
                f'{name} holds {patches} patch positions, which is not {grid[0]} x {grid[1]}; '
                'set OverlapViT(source_grid=(rows, columns)) to the grid it was trained on')
        state_dict[name] = resize_pos_embed(source, grid, self.patch_resolution,
                                            self.interpolate_mode, self.num_extra_tokens)
