"""CLIP's image and text tower, in the layout of OpenAI's files.

Learning Transferable Visual Models From Natural Language Supervision,
https://arxiv.org/abs/2103.00020. Weights have the published names (``transformer.resblocks.0.
attn.in_proj_weight``), so a converter only strips prefixes. The projections to the common space,
``visual.proj`` and ``text_projection``, are those of
:class:`~mmtbps.models.necks.ProjectionNeck`, transposed.
"""

from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Tokens, Tower, apply_layer
from .clip_layers import Float32LayerNorm, ResidualAttentionBlock
from .position_table import check_image_size, fit_position_table
from .token_ids import check_token_ids

__all__ = ['CLIPTextTower', 'CLIPVisionTower']


class _CLIPTower(Tower):
    """Base of both towers: CLIP's layers, and the norm after them."""

    final_norm: nn.Module
    checkpoint_kind = 'openai_clip'
    training_only = ('with_cp', 'attn_drop')
    last_weights = ('ln_post', 'ln_final')
    peft_places = MappingProxyType(dict(prefix=('attn', ), kv_lora=('attn.in_proj', ),
                                        adapter=('ln_1', 'ln_2'), mixture=('mlp', )))

    def __init__(self, width: int, depth: int, heads: int | None, with_cp: bool,
                 init_cfg: dict | list | None, **layer: Any):
        super().__init__(init_cfg)
        self.with_cp, self.out_dims = with_cp, width
        heads = heads or max(1, width // 64)
        self.transformer = nn.ModuleDict(dict(resblocks=nn.ModuleList(
            ResidualAttentionBlock(width, heads, **layer) for _ in range(depth))))
        for block in self.layers:
            block.init_weights(depth)

    @property
    def layers(self) -> nn.ModuleList:
        """The Transformer layers, first to last."""
        return self.transformer['resblocks']

    def run_last_layer(self, tokens: Tokens) -> Tensor:
        """Compute the last layer for the pooled token alone, ``(N, D)``."""
        return apply_layer(partial(self.layers[-1].read_token, place=tokens.read), tokens.hidden,
                           self.with_cp and self.training)

    def pool(self, tokens: Tokens) -> Tensor:
        """Take the pooled token through the final norm, ``(N, D)``."""
        return self.final_norm(tokens.token_read())

    def token_features(self, tokens: Tokens) -> Tensor:
        """Take every token through the final norm, ``(N, P, D)``."""
        return self.final_norm(tokens.hidden)

    def attention_of(self, tokens: Tokens, layer: int) -> Tensor:
        """Compute the attention of a layer from the states right before it."""
        block = self.layers[layer]
        return block.attn.weights(block.ln_1(tokens.hidden))

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, ``(N, P, D)``."""
        return self.final_norm(self.layers[-1].read_alone(tokens.hidden, tokens.read))


@MODELS.register_module()
class CLIPVisionTower(_CLIPTower):
    """CLIP's Vision Transformer, for images of any shape and patches at any step.

    The feature is the class token after the final norm. Its keys are those of ``visual.`` in
    OpenAI's files.

    Args:
        width: D, of the states.
        depth: number of layers.
        patch_size: side of a patch in pixels.
        img_size: (height, width) in pixels; every batch has it.
        stride: step between patches in pixels; ``None`` for patches side by side.
        heads: of the attention; ``None`` for one every 64 of the width.
        activation: ``'quick_gelu'``, as OpenAI's weights need it, ``'gelu'`` or ``'gelu_tanh'``;
            a file of weights does not say which.
        interpolate_mode: how a position embedding of another grid is resized on loading;
            ``'bilinear'`` as in person search.
        source_grid: (rows, columns) of the checkpoint's position embedding; needed only if it is
            neither square nor this tower's own.
        pre_norm: whether there is a norm before the first layer.
        mlp_width: of the hidden states inside a layer; ``None`` for four times D.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: sizes do not go together; later, images or a position embedding do not fit.

    Example:
        >>> clip = CLIPVisionTower(width=8, depth=1, stride=12)
        >>> clip.grid
        (31, 10)
        >>> clip(torch.zeros(2, 3, 384, 128)).shape
        torch.Size([2, 8])
    """

    def __init__(self,
                 width: int = 768,
                 depth: int = 12,
                 patch_size: int = 16,
                 img_size: tuple[int, int] = (384, 128),
                 stride: int | None = None,
                 heads: int | None = None,
                 activation: str = 'quick_gelu',
                 interpolate_mode: str = 'bilinear',
                 source_grid: tuple[int, int] | None = None,
                 pre_norm: bool = True,
                 mlp_width: int | None = None,
                 with_cp: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(width, depth, heads, with_cp, init_cfg, activation=activation,
                         mlp_width=mlp_width)
        stride = stride or patch_size
        self.img_size = self.image_size = tuple(img_size)
        if min(self.img_size) < patch_size:
            raise BadValue(f'img_size={self.img_size} is smaller than a patch of {patch_size}')
        self.grid = tuple((side - patch_size) // stride + 1 for side in self.img_size)
        self.interpolate_mode, self.source_grid = interpolate_mode, source_grid
        scale, places = width**-0.5, 1 + self.grid[0] * self.grid[1]
        self.conv1 = nn.Conv2d(3, width, patch_size, stride, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(places, width))
        self.ln_pre = Float32LayerNorm(width) if pre_norm else nn.Identity()
        self.ln_post = Float32LayerNorm(width)
        self._register_load_state_dict_pre_hook(self._fit_positions)

    @property
    def final_norm(self) -> nn.Module:
        """The norm after the last layer."""
        return self.ln_post

    def embed(self, images: Tensor) -> Tokens:
        """Turn images into tokens: the class token, then patches row by row.

        Args:
            images: ``(N, 3, H, W)``, normalised.

        Returns:
            ``hidden`` ``(N, 1 + rows * columns, D)``.

        Raises:
            BadValue: the images are of another size.
        """
        check_image_size(images, self.img_size)
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        hidden = torch.cat([first, patches], dim=1) + self.positional_embedding
        return Tokens(self.ln_pre(hidden))

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a tower of two layers for images of 32 x 16 pixels."""
        settings = super().tiny_settings(settings)
        for key in ('source_grid', 'mlp_width'):
            settings.pop(key, None)
        settings.update(width=16, depth=2, heads=2, img_size=(32, 16), patch_size=8, stride=6)
        return settings

    def _fit_positions(self, state_dict: dict, prefix: str, *_) -> None:
        """Resize a checkpoint's position embedding from any grid while it is loaded."""
        name = prefix + 'positional_embedding'
        if name in state_dict:
            state_dict[name] = fit_position_table(state_dict[name], self.grid, 1, self.source_grid,
                                                  self.interpolate_mode, name)


@MODELS.register_module()
class CLIPTextTower(_CLIPTower):
    """CLIP's causal Transformer over word pieces.

    The feature is the end token after the final norm. The end token is the largest id of the
    vocabulary, so it is read at the first place of the largest id. No token reads a later one:
    padding, the other captions of a batch and the length it is cut to change no feature. The keys
    are those of the text half of OpenAI's files.

    Args:
        width: D, of the states.
        depth: number of layers.
        context_length: tokens that a caption may have, with start and end.
        vocab_size: entries of the tokenizer.
        heads: of the attention; ``None`` for one every 64 of the width.
        activation: as in :class:`CLIPVisionTower`.
        attn_drop: share of attention weights that are dropped while training.
        filler_id: a token that the mask leaves out wherever it stands, as RDE leaves out 0, which
            is both the padding and ``!``.
        mlp_width: of the hidden states inside a layer; ``None`` for four times D.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        BadValue: sizes do not go together; later, a caption is too long or of another vocabulary.

    Example:
        >>> clip = CLIPTextTower(width=8, depth=1, context_length=5, vocab_size=10)
        >>> ids = torch.tensor([[8, 3, 9, 0, 0], [8, 5, 4, 2, 9]])
        >>> clip.embed(ids, ids > 0).read.tolist()
        [2, 4]
        >>> clip(ids, ids > 0).shape
        torch.Size([2, 8])
    """

    def __init__(self,
                 width: int = 512,
                 depth: int = 12,
                 context_length: int = 77,
                 vocab_size: int = 49408,
                 heads: int | None = None,
                 activation: str = 'quick_gelu',
                 attn_drop: float = 0.0,
                 filler_id: int | None = None,
                 mlp_width: int | None = None,
                 with_cp: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__(width, depth, heads, with_cp, init_cfg, activation=activation,
                         mlp_width=mlp_width, causal=True, attn_drop=attn_drop)
        self.filler_id = filler_id
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(context_length, width))
        self.ln_final = Float32LayerNorm(width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    @property
    def final_norm(self) -> nn.Module:
        """The norm after the last layer."""
        return self.ln_final

    @property
    def vocab_size(self) -> int:
        """Number of tokens that this tower knows."""
        return self.token_embedding.num_embeddings

    def embed(self, input_ids: Tensor, mask: Tensor | None = None) -> Tokens:
        """Turn token ids into tokens.

        Args:
            input_ids: ``(N, L)``, each row start token, words, end token and padding of any id.
            mask: ``(N, L)`` bool, True where there is a token. Carried for others: the layers need
                none.

        Returns:
            ``hidden`` ``(N, L, D)``, the mask, and the place of the end token.

        Raises:
            BadValue: the captions are longer than ``context_length``, or an id is outside the
                vocabulary.
        """
        length, places = input_ids.shape[1], len(self.positional_embedding)
        if not torch.compiler.is_compiling() and length > places:
            raise BadValue(f'captions of {length} tokens are too long for a text tower of '
                           f'context_length={places}; set max_length={places} of TokenizeCaption, '
                           'and of TextImagePreprocessor if it pads to a multiple')
        check_token_ids(input_ids, self.vocab_size)
        hidden = self.token_embedding(input_ids) + self.positional_embedding[:length]
        if self.filler_id is not None:
            words = input_ids != self.filler_id
            mask = words if mask is None else mask & words
        return Tokens(hidden, mask, read=input_ids.argmax(dim=-1))

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a tower of two layers, for the same captions, without dropout."""
        settings = super().tiny_settings(settings)
        settings.pop('mlp_width', None)
        settings.update(width=16, depth=2, heads=2, attn_drop=0.0)
        return settings
