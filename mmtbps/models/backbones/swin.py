"""Swin Transformer as an image tower, in APTM's way: the mean token before the others."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Tokens, Tower
from .swin_layers import SwinBlock

__all__ = ['SwinTower']


@MODELS.register_module()
class SwinTower(Tower):
    """A Swin Transformer whose feature is the mean of its last tokens.

    Swin Transformer, https://arxiv.org/abs/2103.14030, as APTM, https://arxiv.org/abs/2306.02898,
    uses it: the tokens of the last stage go through a norm, and their mean is put before them as a
    token of its own. Where the states are narrower than a window, the window shrinks to them and
    nothing is shifted: at 384 x 128 the last stage is 12 x 4, in windows of 4.

    ``layers`` are the blocks of all stages one after the other; the last block of a stage joins
    patches by four. Names inside a block are Microsoft's.

    Args:
        img_size: (height, width) in pixels.
        patch_size: side of a patch in pixels.
        width: of the states in the first stage; each stage doubles it.
        depths: number of blocks of each stage.
        heads: of the attention, of each stage.
        window: side of a window.
        drop_path: share of samples that lose the change of the last block while training; it grows
            from 0 at the first.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: depths and heads are of different numbers of stages, or an image of this size
            cannot be cut into patches and windows.

    Example:
        >>> swin = SwinTower((64, 32), width=8, depths=(2, 2), heads=(2, 4), window=4)
        >>> swin(torch.zeros(2, 3, 64, 32)).shape, swin.grid
        (torch.Size([2, 16]), (8, 4))
    """

    checkpoint_kind = 'aptm'
    training_only = ('with_cp', 'drop_path')
    last_weights = ('norm.', )

    def __init__(self, img_size: tuple[int, int] = (384, 128), patch_size: int = 4,
                 width: int = 128, depths: Sequence[int] = (2, 2, 18, 2),
                 heads: Sequence[int] = (4, 8, 16, 32), window: int = 8, drop_path: float = 0.0,
                 with_cp: bool = False, init_cfg: dict | list | None = None):
        super().__init__(init_cfg)
        if len(depths) != len(heads) or min(depths, default=0) < 1:
            raise BadValue(f'a stage needs blocks and heads, got depths={tuple(depths)} and '
                           f'heads={tuple(heads)}')
        if any(side % patch_size for side in img_size):
            raise BadValue(f'images of {img_size[0]} x {img_size[1]} cannot be cut into patches of '
                           f'{patch_size}')
        self.image_size, self.with_cp = tuple(img_size), with_cp
        self.patch_embed = nn.ModuleDict(dict(
            proj=nn.Conv2d(3, width, patch_size, patch_size), norm=nn.LayerNorm(width)))
        size = (img_size[0] // patch_size, img_size[1] // patch_size)
        blocks, total = [], sum(depths)
        for stage, depth in enumerate(depths):
            last = stage == len(depths) - 1
            blocks += [SwinBlock(width << stage, heads[stage], size, window, shifted=bool(i % 2),
                                 merging=i == depth - 1 and not last,
                                 drop_path=drop_path * (len(blocks) + i) / max(1, total - 1))
                       for i in range(depth)]
            size = size if last else (size[0] // 2, size[1] // 2)
        self.layers, self.grid = nn.ModuleList(blocks), size
        self.out_dims = width << len(depths) - 1
        self.norm = nn.LayerNorm(self.out_dims)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def embed(self, images: Tensor) -> Tokens:
        """Turn images into tokens, patches row by row.

        Args:
            images: ``(N, 3, H, W)``, normalised, of the size of this tower.

        Returns:
            ``hidden`` ``(N, rows * columns, D)``; a later stage has a quarter as many, twice as
            wide.

        Raises:
            BadValue: the images are of another size.
        """
        if tuple(images.shape[2:]) != self.image_size:
            raise BadValue(f'SwinTower takes images of {self.image_size[0]} x '
                           f'{self.image_size[1]}, got {images.shape[2]} x {images.shape[3]}: its '
                           'windows are made for that size')
        hidden = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        return Tokens(self.patch_embed.norm(hidden))

    def pool(self, tokens: Tokens) -> Tensor:
        """Take the mean of the normed tokens, ``(N, D)``."""
        return self.norm(tokens.hidden).mean(1)

    def token_features(self, tokens: Tokens) -> Tensor:
        """Take every token through the norm and put their mean first, ``(N, 1 + P, D)``."""
        states = self.norm(tokens.hidden)
        return torch.cat([states.mean(1, keepdim=True), states], 1)

    def read_shares(self, tokens: Tokens) -> Tensor:
        """Compute the share of each token of the last layer in the feature, ``(N, P)``."""
        count, length = tokens.hidden.shape[:2]
        return tokens.hidden.new_full((count, length), 1 / length)

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the last state of each token, ``(N, P, D)``: the feature is their mean."""
        return self.norm(self.run(tokens, tokens.layer).hidden)

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of two stages for images of 32 x 16 pixels."""
        settings = super().tiny_settings(settings)
        settings.update(img_size=(32, 16), patch_size=4, width=8, depths=(2, 2), heads=(2, 2),
                        window=2)
        return settings
