"""Overlapping-patch Vision Transformer; the one file that imports mmpretrain's model zoo."""

import math
from functools import partial

import torch
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from mmtbps.models.grad_cache import apply_layer
from mmtbps.registry import MODELS

from ..cls_last_layer import vit_first_token


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
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
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
                 with_cp: bool = False,
                 **kwargs):
        # mmpretrain pads the corner by default, which would add a row and a column.
        super().__init__(arch=arch, img_size=img_size, patch_size=patch_size,
                         interpolate_mode=interpolate_mode,
                         patch_cfg=dict(stride=stride, padding=0), **kwargs)
        self.source_grid, self.with_cp = source_grid, with_cp
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
        hidden = torch.cat([self.cls_token.expand(hidden.shape[0], -1, -1), hidden], dim=1)
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
        if layer == self.depth:
            token = hidden[:, 0]
        else:
            hidden = self._run(hidden, layer, self.depth - 1)
            token = apply_layer(partial(vit_first_token, self.layers[-1]), hidden,
                                self.with_cp and self.training)
        return self.ln1(token) if self.final_norm else token

    @property
    def depth(self) -> int:
        """Number of transformer layers."""
        return len(self.layers)

    def encode_tokens(self, hidden: Tensor, mask: None = None) -> Tensor:
        """What the feature would be if the last layer looked at one token alone.

        After the last layer only the class token is ever trained. What the other tokens say is in
        what they give to it, so each in turn gets all of the class token's attention.

        Args:
            hidden: ``(N, L, D)`` from :meth:`embed` with ``layer=depth - 1``.
            mask: ignored.

        Returns:
            ``(N, L, D)``, not normalised.
        """
        block = self.layers[-1]
        attention = block.attn
        values = attention.qkv(block.ln1(hidden)).chunk(3, dim=-1)[2]
        tokens = hidden[:, :1] + attention.gamma1(attention.proj(values))
        tokens = block.ffn(block.ln2(tokens), identity=tokens)
        return self.ln1(tokens) if self.final_norm else tokens

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` images to ``(N, D)`` features."""
        return self.encode(self.embed(images))

    @torch.no_grad()
    def attentions(self, images: Tensor) -> list[Tensor]:
        """What each token attends to, in every layer, by one forward pass.

        The fused attention keeps no weights, so they are made again of its queries and keys.
        There is no hook in it: another thread may use the model at the same time.

        Args:
            images: ``(N, 3, H, W)``, normalised.

        Returns:
            One ``(N, heads, L, L)`` a layer, first layer first; each row sums to 1.
        """
        hidden, weights = self.embed(images), []
        for block in self.layers:
            qkv = block.attn.qkv(block.ln1(hidden))
            query, key, _ = qkv.unflatten(-1, (3, block.attn.num_heads, -1)).unbind(-3)
            scores = torch.einsum('nqhd,nkhd->nhqk', query, key) * query.shape[-1]**-0.5
            weights.append(scores.softmax(-1))
            hidden = block(hidden)
        return weights

    def train(self, mode: bool = True) -> 'OverlapViT':
        """As in every module; mmpretrain's own returns None, which breaks ``model.eval()``."""
        super().train(mode)
        return self

    def _run(self, hidden: Tensor, first: int, last: int) -> Tensor:
        for block in self.layers[first:last]:
            hidden = apply_layer(block, hidden, self.with_cp and self.training)
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
