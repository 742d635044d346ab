"""SigLIP's image and text tower over transformers.

Sigmoid Loss for Language Image Pre-Training, https://arxiv.org/abs/2303.15343; SigLIP 2,
https://arxiv.org/abs/2502.14786, whose checkpoints of fixed resolution are of the same classes.
"""

from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Tokens, Tower, apply_layer
from .cls_last_layer import siglip_last_token
from .library_models import sizes_of
from .position_table import check_image_size, fit_position_table, resize_position_table
from .siglip_models import attention_weights, build_siglip, read_alone, replace_positions, run_slice
from .token_ids import check_token_ids

__all__ = ['SigLIPTextTower', 'SigLIPVisionTower']


class _SigLIPTower(Tower):
    """Base of both towers: transformers' model, its encoder run on slices of its layers."""

    checkpoint_kind = 'hf_siglip'
    training_only = ('with_cp', 'attention_dropout')
    lora_targets = ('self_attn', )
    peft_places = MappingProxyType(dict(kv_lora=('self_attn.k_proj', 'self_attn.v_proj'),
                                        adapter=('layer_norm1', 'layer_norm2'),
                                        mixture=('mlp', )))
    last_weights = ('siglip.post_layernorm', 'siglip.final_layer_norm', 'siglip.head')

    def __init__(self, kind: str, model: str | None, config: dict | None, with_cp: bool,
                 init_cfg: dict | list | None):
        super().__init__(init_cfg)
        self.with_cp = with_cp
        self.siglip = build_siglip(kind, model, dict(config or {}))

    def init_weights(self) -> None:
        """Keep what transformers initialised or loaded; only an explicit ``init_cfg`` acts."""
        if self.init_cfg:
            super().init_weights()

    @property
    def layers(self) -> nn.ModuleList:
        """The Transformer layers, first to last."""
        return self.siglip.encoder.layers

    def run_layers(self, tokens: Tokens, start: int, stop: int) -> Tensor:
        """Compute the hidden states after layers ``start`` to ``stop - 1``, ``(N, P, D)``."""
        if not (self.with_cp and self.training):
            return run_slice(self.siglip, tokens.hidden, start, stop)
        hidden = tokens.hidden
        for layer in range(start, stop):
            hidden = apply_layer(partial(self._run_layer, layer), hidden, True)
        return hidden

    def _run_layer(self, layer: int, hidden: Tensor) -> Tensor:
        return run_slice(self.siglip, hidden, layer, layer + 1)

    def attention_of(self, tokens: Tokens, layer: int) -> Tensor:
        """Compute the attention of a layer from the states right before it."""
        return attention_weights(self.layers[layer], tokens.hidden)

    @classmethod
    def pretrained_names(cls, settings: dict[str, Any]) -> list[str]:
        """Return the folder or hub name of the transformers model, if there is one."""
        return [settings['model']] if settings.get('model') else []

    def portable_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings with the sizes of the model in the place of its folder."""
        if not settings.get('model'):
            return settings
        kept = {key: value for key, value in settings.items() if key != 'model'}
        return dict(kept, config=sizes_of(self.siglip.config))


@MODELS.register_module()
class SigLIPVisionTower(_SigLIPTower):
    """SigLIP's Vision Transformer of transformers, for images of any shape.

    There is no class token: a learned query, the head, attends to all patches after the final norm,
    and that is the feature.

    Args:
        model: folder of a transformers model, or a hub name; ``None`` for random weights. A whole
            ``SiglipModel`` or its vision half.
        config: sizes of the random model, as in transformers' ``SiglipVisionConfig``. With
            ``model``, overrides of its config.
        img_size: (height, width) in pixels; every batch has it. ``None`` for the square of the
            config. The position embedding is resized once, on loading.
        interpolate_mode: how it is resized, ``'bilinear'`` or ``'bicubic'``.
        source_grid: (rows, columns) of a checkpoint's position embedding; needed only if it is
            neither square nor this tower's own.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        FileNotFoundError: ``model`` looks like a path and is not a folder.
        BadValue: neither or an unsuitable model is named; later, images or a position embedding
            do not fit.

    Example:
        >>> sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        ...              intermediate_size=8, patch_size=16)
        >>> siglip = SigLIPVisionTower(config=sizes, img_size=(64, 32))
        >>> siglip.grid, siglip(torch.zeros(2, 3, 64, 32)).shape
        ((4, 2), torch.Size([2, 8]))
    """

    def __init__(self,
                 model: str | None = None,
                 config: dict | None = None,
                 img_size: tuple[int, int] | None = None,
                 interpolate_mode: str = 'bilinear',
                 source_grid: tuple[int, int] | None = None,
                 with_cp: bool = False,
                 init_cfg: dict | list | None = None):
        super().__init__('vision', model, config, with_cp, init_cfg)
        sizes = self.siglip.config
        self.out_dims = sizes.hidden_size
        self.interpolate_mode, self.source_grid = interpolate_mode, source_grid
        self.img_size = self.image_size = tuple(
            img_size or (sizes.image_size, sizes.image_size))
        if min(self.img_size) < sizes.patch_size:
            raise BadValue(f'img_size={self.img_size} is smaller than a patch of '
                           f'{sizes.patch_size}')
        self.grid = tuple(side // sizes.patch_size for side in self.img_size)
        self._set_positions(pretrained=model is not None)
        self._register_load_state_dict_pre_hook(self._fit_positions)

    def embed(self, images: Tensor) -> Tokens:
        """Turn images into tokens, patches row by row.

        Args:
            images: ``(N, 3, H, W)``, normalised.

        Returns:
            ``hidden`` ``(N, rows * columns, D)``.

        Raises:
            BadValue: the images are of another size.
        """
        check_image_size(images, self.img_size)
        return Tokens(self.siglip.embeddings(images))

    def pool(self, tokens: Tokens) -> Tensor:
        """Let the head attend to all tokens after the final norm, ``(N, D)``."""
        return self.siglip.head(self.token_features(tokens))

    def token_features(self, tokens: Tokens) -> Tensor:
        """Take every token through the final norm, ``(N, P, D)``."""
        return self.siglip.post_layernorm(tokens.hidden)

    def read_shares(self, tokens: Tokens) -> Tensor:
        """Compute how much the head reads of each token, the mean of its heads, ``(N, P)``."""
        head, states = self.siglip.head, self.token_features(tokens)
        probe = head.probe.expand(len(states), -1, -1)
        return head.attention(probe, states, states, need_weights=True)[1][:, 0]

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the head read one token alone, ``(N, P, D)``.

        The head reads all tokens of the last layer, so these are trained and that layer runs whole.
        """
        states = self.token_features(self.run(tokens, tokens.layer))
        features = self.siglip.head(states.flatten(0, 1)[:, None])
        return features.unflatten(0, states.shape[:2])

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a model of two layers for images of 32 x 16 pixels."""
        settings = super().tiny_settings(settings)
        for key in ('model', 'source_grid'):
            settings.pop(key, None)
        settings.update(img_size=(32, 16), config=dict(
            hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            image_size=32, patch_size=8))
        return settings

    def portable_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings with the sizes of the model and of its images."""
        return dict(super().portable_settings(settings), img_size=self.img_size)

    def _set_positions(self, pretrained: bool) -> None:
        """Give the tower a position embedding of its own grid, if that is not the config's."""
        table = self.siglip.embeddings.position_embedding.weight
        side = self.siglip.config.image_size // self.siglip.config.patch_size
        if self.grid == (side, side):
            return
        if pretrained:
            table = resize_position_table(table.detach(), (side, side), self.grid,
                                          self.interpolate_mode)
        else:
            table = torch.randn(self.grid[0] * self.grid[1], self.out_dims) * self.out_dims**-0.5
        replace_positions(self.siglip.embeddings, table)

    def _fit_positions(self, state_dict: dict, prefix: str, *_) -> None:
        """Resize a checkpoint's position embedding from any grid while it is loaded."""
        name = prefix + 'siglip.embeddings.position_embedding.weight'
        if name in state_dict:
            state_dict[name] = fit_position_table(state_dict[name], self.grid, 0, self.source_grid,
                                                  self.interpolate_mode, name)


@MODELS.register_module()
class SigLIPTextTower(_SigLIPTower):
    """SigLIP's text Transformer of transformers.

    The feature is the last of all places, through the final norm and a linear head; every token
    reads every other, padding too. So a caption has one feature only if it always has all places:
    the preprocessor pads it, ``TextImagePreprocessor(min_length=64, pad_token_id=...)``. The tower
    does not: what the padding was in training only the tokenizer knows, and configs of published
    models do not say it reliably.

    Args:
        model: folder of a transformers model, or a hub name; ``None`` for random weights. A whole
            ``SiglipModel`` or its text half.
        config: sizes of the random model, as in transformers' ``SiglipTextConfig``. With
            ``model``, overrides of its config.
        with_cp: keep no activations of the layers while training, compute them again (activation
            checkpointing).
        init_cfg: as in every MMEngine module.

    Raises:
        FileNotFoundError: ``model`` looks like a path and is not a folder.
        BadValue: neither or an unsuitable model is named; later, captions are not padded to full
            length, or are of another vocabulary.

    Example:
        >>> sizes = dict(vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        ...              intermediate_size=8, max_position_embeddings=4)
        >>> siglip = SigLIPTextTower(config=sizes)
        >>> ids = torch.tensor([[5, 3, 1, 1]])
        >>> siglip(ids, ids != 1).shape
        torch.Size([1, 8])
    """

    def __init__(self, model: str | None = None, config: dict | None = None,
                 with_cp: bool = False, init_cfg: dict | list | None = None):
        super().__init__('text', model, config, with_cp, init_cfg)
        self.out_dims = self.siglip.head.out_features

    @property
    def vocab_size(self) -> int:
        """Number of tokens that this tower knows."""
        return self.siglip.config.vocab_size

    def embed(self, input_ids: Tensor, mask: Tensor | None = None) -> Tokens:
        """Turn token ids into tokens.

        Args:
            input_ids: ``(N, L)``, padded to all L places of the model.
            mask: ``(N, L)`` bool, True where there is a token. Carried for others: padding is
                attended.

        Returns:
            ``hidden`` ``(N, L, D)``, the mask, and the last place.

        Raises:
            BadValue: the captions have more or fewer places than the model, or an id is outside
                the vocabulary.
        """
        length, places = input_ids.shape[1], self.siglip.config.max_position_embeddings
        if not torch.compiler.is_compiling() and length != places:
            raise BadValue(
                f'captions of {length} tokens do not fit SigLIP, which reads the last of {places} '
                f'places, padding and all; set min_length={places} and the pad_token_id of the '
                f'tokenizer in TextImagePreprocessor, and max_length={places} in TokenizeCaption')
        check_token_ids(input_ids, self.vocab_size)
        return Tokens(self.siglip.embeddings(input_ids=input_ids), mask,
                      read=input_ids.new_full(input_ids.shape[:1], length - 1))

    def run_last_layer(self, tokens: Tokens) -> Tensor:
        """Compute the last layer for the last token alone, ``(N, D)``."""
        return apply_layer(partial(siglip_last_token, self.layers[-1]), tokens.hidden,
                           self.with_cp and self.training)

    def pool(self, tokens: Tokens) -> Tensor:
        """Take the last token through the final norm and the head, ``(N, D)``."""
        return self._project(tokens.token_read())

    def token_features(self, tokens: Tokens) -> Tensor:
        """Take every token through the final norm and the head, ``(N, L, D)``."""
        return self._project(tokens.hidden)

    def single_token_features(self, tokens: Tokens) -> Tensor:
        """Compute the pooled feature if the last layer read one token alone, ``(N, L, D)``."""
        return self._project(read_alone(self.layers[-1], tokens.hidden, -1))

    def _project(self, states: Tensor) -> Tensor:
        return self.siglip.head(self.siglip.final_layer_norm(states))

    @classmethod
    def tiny_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings of a model of two layers and 2,048 words, for captions as long."""
        settings = super().tiny_settings(settings)
        settings.pop('model', None)
        length = (settings.get('config') or {}).get('max_position_embeddings', 64)
        settings.update(config=dict(
            vocab_size=2048, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=length, projection_size=16,
            bos_token_id=None, eos_token_id=1))
        return settings
