"""Families of transformers models that a text tower can run in pieces."""

import copy
import inspect
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.hub import hub_options
from mmtbps.pretrained import resolve_pretrained

from .library_models import load_whole, model_errors, sharing_copy

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

__all__ = ['FAMILIES', 'Family', 'attention_weights', 'block_far_keys', 'block_keys',
           'build_model', 'embed_ids', 'run_slice']

_SIZES = dict(vocab_size=2048, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
              intermediate_size=32, max_position_embeddings=64, hidden_dropout_prob=0.0,
              attention_probs_dropout_prob=0.0)
# Their positions begin after that of the padding, which is 1.
_ROBERTA_SIZES = dict(_SIZES, max_position_embeddings=66)
_DISTILBERT_SIZES = dict(vocab_size=2048, dim=16, n_layers=2, n_heads=2, hidden_dim=32,
                         max_position_embeddings=64, dropout=0.0, attention_dropout=0.0)
_MODERNBERT_SIZES = dict(vocab_size=2048, hidden_size=16, num_hidden_layers=2,
                         num_attention_heads=2, intermediate_size=32, max_position_embeddings=64,
                         pad_token_id=0, bos_token_id=2, cls_token_id=2, eos_token_id=3,
                         sep_token_id=3)


@dataclass(frozen=True)
class Family:
    """Names of the parts of a family of models.

    Args:
        encoder: module that runs the layers; ``''`` where the model itself does.
        layers: list of layers in it.
        attention: self-attention in a layer.
        norm: norm after the last layer; ``''`` where there is none.
        sizes: settings of a model that computes in no time.
    """

    encoder: str = 'encoder'
    layers: str = 'layer'
    attention: str = 'attention.self'
    norm: str = ''
    sizes: Mapping[str, Any] = field(default_factory=lambda: _SIZES)

    @classmethod
    def of(cls, model: 'PreTrainedModel') -> 'Family':
        """Return the family of a model that `build_model` built."""
        return FAMILIES[model.config.model_type]

    def layers_of(self, model: 'PreTrainedModel') -> nn.ModuleList:
        """Return the layers of a model, first to last."""
        return getattr(model.get_submodule(self.encoder), self.layers)


# Each is shown by a test to compute what transformers computes. Others would not: their layers
# share weights, or take more than hidden states, or something goes on between them.
FAMILIES = dict(
    bert=Family(),
    camembert=Family(sizes=_ROBERTA_SIZES),
    distilbert=Family('transformer', attention='attention', sizes=_DISTILBERT_SIZES),
    electra=Family(sizes=dict(_SIZES, embedding_size=8)),
    modernbert=Family('', 'layers', 'attn', 'final_norm', _MODERNBERT_SIZES),
    mpnet=Family(attention='attention.attn', sizes=_ROBERTA_SIZES),
    roberta=Family(sizes=_ROBERTA_SIZES),
    **{'xlm-roberta': Family(sizes=_ROBERTA_SIZES)})


def build_model(name: str | None, overrides: dict[str, Any]) -> 'PreTrainedModel':
    """Build a model of one of the families.

    Args:
        name: folder of a transformers model, or a hub name; ``None`` for random weights.
        overrides: its sizes, with ``model_type`` (default ``'bert'``); with ``name``, what its
            config is to say otherwise.

    Raises:
        FileNotFoundError: ``name`` looks like a path and is not a folder.
        BadValue: there are neither name nor sizes, or the model cannot be run in pieces.
    """
    if name is None and not overrides:
        raise BadValue('BERTBackbone needs `model` (folder or hub name) or `config` (sizes)')
    asked = overrides.pop('model_type', None)
    kind = asked or 'bert'
    if name is not None:
        name = resolve_pretrained(name)
        with model_errors(f'{name}: no text model can be read from it'):
            config, _ = transformers.PretrainedConfig.get_config_dict(name, **hub_options(name))
            kind = config.get('model_type', 'bert')
        if asked not in (None, kind):
            raise BadValue(f'{name} is a model of model_type {kind!r}, got model_type={asked!r} in '
                           'the config of the text backbone')
    _check_kind(kind)
    if kind == 'modernbert':  # older versions would take another where its package is installed
        overrides.setdefault('attn_implementation', 'sdpa')
    _check_attention(overrides.get('attn_implementation'))
    if name is None:
        with model_errors(f'the sizes of the text backbone are none of a {kind} model'):
            model = transformers.AutoModel.from_config(
                transformers.AutoConfig.for_model(kind, **overrides))
    else:
        with model_errors(f'{name}: no text model can be read from it'):
            # Weights of a masked language model have no pooler; it is trained from the start.
            model = load_whole(transformers.AutoModel, name, overrides, may_miss='pooler.')
    _check_config(model.config)
    if hasattr(model.config, 'reference_compile'):
        model.config.reference_compile = False  # to compile is the business of who trains
    return model


def _check_kind(kind: str) -> None:
    if kind not in FAMILIES:
        raise BadValue(f'BERTBackbone cannot run models of model_type {kind!r} layer by layer; it '
                       f'runs {", ".join(FAMILIES)}')
    if kind not in transformers.CONFIG_MAPPING:
        raise BadValue(f'transformers {transformers.__version__} does not know model_type '
                       f'{kind!r}; install a newer one')


def _check_config(config: 'PretrainedConfig') -> None:
    """Refuse a model whose layers do more than read each token's place and the padding mask."""
    _check_kind(config.model_type)
    for key, plain in (('is_decoder', False), ('add_cross_attention', False),
                       ('is_causal', False), ('position_embedding_type', 'absolute')):
        value = getattr(config, key, plain)
        if value not in (plain, None):
            raise BadValue(f'BERTBackbone cannot run {config.model_type} models with {key}='
                           f'{value!r}; only {key}={plain!r}')
    _check_attention(config._attn_implementation)


def _check_attention(implementation: str | None) -> None:
    if implementation not in (None, 'eager', 'sdpa'):  # others take masks of another form
        raise BadValue(f"attn_implementation must be 'sdpa' or 'eager', got {implementation!r}")


def embed_ids(model: 'PreTrainedModel', input_ids: Tensor) -> Tensor:
    """Embed ``(N, L)`` token ids as ``(N, L, D)`` states before the first layer."""
    hidden = model.embeddings(input_ids=input_ids)
    project = getattr(model, 'embeddings_project', None)  # ELECTRA with narrow embeddings
    return hidden if project is None else project(hidden)


def run_slice(model: 'PreTrainedModel', hidden: Tensor, mask: Tensor | None, start: int,
              stop: int) -> Tensor:
    """Run the layers from ``start`` up to, not including, ``stop``, by the library's own encoder.

    Args:
        model: a model of one of the families.
        hidden: ``(N, L, D)`` states before layer ``start``.
        mask: ``(N, L)`` bool, True where there is a token; ``None`` where all are.
        start: number of the first layer.
        stop: number of the layer after the last.

    Returns:
        ``(N, L, D)`` states after the last of these layers; no final norm has seen them.
    """
    return _run(model, Family.of(model).layers_of(model)[start:stop], hidden, mask)


def attention_weights(model: 'PreTrainedModel', hidden: Tensor, mask: Tensor | None,
                      layer: int) -> Tensor:
    """Compute how much each token reads of each other in a layer, ``(N, heads, L, L)``.

    The fused attention keeps no weights, so a copy of the layer that shares its parameters runs
    with transformers' eager one, without dropout. The model itself is left alone: another thread
    may use it at the same time.

    Args:
        model: a model of one of the families.
        hidden: ``(N, L, D)`` states before the layer.
        mask: ``(N, L)`` bool, True where there is a token; ``None`` where all are.
        layer: number of the layer.
    """
    family, config, kept = Family.of(model), copy.copy(model.config), []
    config._attn_implementation = 'eager'
    twin = _eager_copy(family.layers_of(model)[layer], config)
    attention = twin.get_submodule(family.attention)
    attention._forward_hooks = OrderedDict()
    attention.register_forward_hook(lambda module, inputs, output: kept.append(output[1]))
    model = sharing_copy(model)
    model.config = config
    _run(model, nn.ModuleList([twin]), hidden, mask, weights=True)
    return kept[0]


def block_keys(mask: Tensor | None, hidden: Tensor) -> Tensor | None:
    """Turn the mask of tokens into what is added to the scores of the keys.

    transformers would make one, too, but asks the device whether it is needed: the CPU waits.

    Args:
        mask: ``(N, L)`` bool, True where there is a token; ``None`` where all are.
        hidden: tensor of the type and device wanted.

    Returns:
        ``(N, 1, 1, L)``, 0 or the least number; ``None`` for ``None``.
    """
    return None if mask is None else _block(mask[:, None, None, :], hidden)


def block_far_keys(mask: Tensor | None, hidden: Tensor, reach: int) -> Tensor:
    """Turn the mask of tokens into what is added to the scores of keys that must be near, too.

    Args:
        mask: ``(N, L)`` bool, True where there is a token; ``None`` where all are.
        hidden: ``(N, L, D)`` of the type and device wanted.
        reach: how many places away a token reads.

    Returns:
        ``(N, 1, L, L)``, or ``(1, 1, L, L)`` for ``None``; 0 or the least number.
    """
    places = torch.arange(hidden.shape[1], device=hidden.device)
    distance = (places[:, None] - places).abs()
    seen = (distance <= reach)[None, None]
    if mask is not None:
        seen = seen & mask[:, None, None, :]
        # Padding far from any token reads itself: of nothing a softmax makes no numbers.
        seen = seen | ((distance == 0) & ~seen.any(-1, keepdim=True))
    return _block(seen, hidden)


def _block(seen: Tensor, hidden: Tensor) -> Tensor:
    blocked = torch.zeros(seen.shape, dtype=hidden.dtype, device=hidden.device)
    return blocked.masked_fill(~seen, torch.finfo(hidden.dtype).min)


class _PassThrough(nn.Module):
    """Embeddings of what is embedded already."""

    def forward(self, input_ids: None = None, inputs_embeds: Tensor | None = None) -> Tensor:
        return inputs_embeds


def _run(model: 'PreTrainedModel', layers: nn.ModuleList, hidden: Tensor, mask: Tensor | None,
         weights: bool = False) -> Tensor:
    family = Family.of(model)
    encoder = model.get_submodule(family.encoder)
    if not family.encoder:
        piece = sharing_copy(encoder, {family.layers: layers, family.norm: nn.Identity(),
                                'embeddings': _PassThrough()})
        return _run_modernbert(piece, hidden, mask, weights)
    accepted, options = _parameters(type(encoder)), {}
    if 'head_mask' in accepted:
        options['head_mask'] = [None] * len(layers)
    if 'output_attentions' in accepted:
        options['output_attentions'] = weights
    blocked = block_keys(mask, hidden)
    if 'attn_mask' in accepted and (weights or model.config._attn_implementation == 'eager'):
        # DistilBERT before transformers 5
        blocked = torch.ones_like(hidden[..., 0]) if mask is None else mask
    return sharing_copy(encoder, {family.layers: layers})(hidden, blocked, **options)[0]


def _run_modernbert(piece: 'PreTrainedModel', hidden: Tensor, mask: Tensor | None,
                    weights: bool) -> Tensor:
    """Run a ModernBERT whose layers alone are left; some read all tokens, some only near ones."""
    full = block_keys(mask, hidden)
    near = block_far_keys(mask, hidden, piece.config.local_attention // 2)
    makes_own = hasattr(piece, '_update_attention_mask')
    if makes_own:  # before transformers 5.1, in places on the CPU
        full = torch.zeros_like(near) if full is None else full
        piece._update_attention_mask = lambda *_, **__: (full, near)
    else:
        mask = dict(full_attention=full, sliding_attention=near)
    return piece(inputs_embeds=hidden, attention_mask=mask, output_hidden_states=False,
                 output_attentions=weights and makes_own)[0]


def _eager_copy(module: nn.Module, config: 'PretrainedConfig') -> nn.Module:
    """Copy a module and all inside it, sharing parameters, with another config, not training."""
    twin = sharing_copy(module, {name: child if child is None else _eager_copy(child, config)
                          for name, child in module._modules.items()})
    twin.training = False
    if hasattr(twin, 'config'):
        twin.config = config
    return twin


@lru_cache
def _parameters(module: type[nn.Module]) -> frozenset[str]:
    return frozenset(inspect.signature(module.forward).parameters)
