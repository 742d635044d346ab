"""Overlapping-patch Vision Transformer; the one file that imports mmpretrain's model zoo."""

from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

from mmtbps.registry import MODELS

from .attend_alone import attend_alone
from .base import Tokens, Tower, apply_layer
from .cls_last_layer import vit_first_token
from .position_table import fit_position_table


@MODELS.register_module()
class OverlapViT(Tower, VisionTransformer):
    """mmpretrain's ViT on overlapping patches, as a tower.

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

    checkpoint_kind = 'timm'

    training_only = ('with_cp', 'drop_rate', 'drop_path_rate')
    last_weights = ('ln1', 'ln2')
    peft_places = MappingProxyType(dict(prefix=('attn', ), kv_lora=('attn.qkv', ),
                                        adapter=('ln1', 'ln2'), mixture=('ffn', )))

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
        self.out_dims, self.image_size = self.embed_dims, tuple(self.img_size)

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return tuple(self.patch_resolution)

    def embed(self, images: Tensor) -> Tokens:
        """Turn images into tokens: the class token, then patches row by row.

        Args:
            images: ``(N, 3, H, W)``, normalised.

        Returns:
            ``hidden`` ``(N, 1 + rows * columns, D)``.
        """
        hidden, grid = self.patch_embed(images)
        hidden = torch.cat([self.cls_token.expand(hidden.shape[0], -1, -1), hidden], dim=1)
        hidden = hidden + resize_pos_embed(self.pos_embed, self.patch_resolution, grid,
                                           self.interpolate_mode, self.num_extra_tokens)
        return Tokens(self.pre_norm(self.drop_after_pos(hidden)))

    def run_last_layer(self, tokens: Tokens) -> Tensor:
        """Compute the last layer for the class token alone, ``(N, D)``."""
        return apply_layer(partial(vit_first_token, self.layers[-1]), tokens.hidden,
                           self.with_cp and self.training)

    def pool(self, tokens: Tokens) -> Tensor:
        """Take the class token through the final norm, ``(N, D)``."""
        token = tokens.token_read()
        return self.ln1(token) if self.final_norm else token

    def token_features(self, tokens: Tokens) -> Tensor:
        """Take every token through the final norm, ``(N, P, D)``."""
        return self.ln1(tokens.hidden) if self.final_norm else tokens.hidden

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, ``(N, P, D)``."""
        block, hidden = self.layers[-1], tokens.hidden
        query, key, value = (
            part.unflatten(-1, (block.attn.num_heads, -1)).transpose(1, 2)
            for part in block.attn.qkv(block.ln1(hidden)).chunk(3, dim=-1))
        read = attend_alone(block.attn.scaled_dot_product_attention, query[:, :, :1], key, value)
        read = block.attn.proj(read.transpose(1, 2).flatten(2))
        states = hidden[:, :1] + block.attn.gamma1(read)
        states = block.ffn(block.ln2(states), identity=states)
        return self.ln1(states) if self.final_norm else states

    def attention_of(self, tokens: Tokens, layer: int) -> Tensor:
        """Compute the attention of a layer from the states before it.

        The fused attention keeps no weights, so they are made again of its queries and keys; what
        is read besides the tokens, of a learned prefix, is left out.
        There is no hook in it: another thread may use the model at the same time.
        """
        block = self.layers[layer]
        qkv = block.attn.qkv(block.ln1(tokens.hidden))
        query, key, _ = qkv.unflatten(-1, (3, block.attn.num_heads, -1)).unbind(-3)
        scores = torch.einsum('nqhd,nkhd->nhqk', query, key) * query.shape[-1]**-0.5
        return scores.softmax(-1)

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a ViT of two layers for images of 32 x 16 pixels."""
        arch = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
        settings = super().tiny_settings(settings)
        settings.update(arch=arch, img_size=(32, 16), patch_size=8, stride=6)
        return settings

    def train(self, mode: bool = True) -> 'OverlapViT':
        """Set the mode and return the tower; mmpretrain's own returns None."""
        super().train(mode)
        return self

    def _prepare_pos_embed(self, state_dict: dict, prefix: str, *_, **__) -> None:
        """Resize a checkpoint's position embedding from any grid while it is loaded."""
        name = prefix + 'pos_embed'
        if name in state_dict:
            state_dict[name] = fit_position_table(
                state_dict[name][0], self.grid, self.num_extra_tokens, self.source_grid,
                self.interpolate_mode, name)[None]
