"""SigLIP models of transformers, as towers run them in pieces."""

from typing import Any

import torch
import transformers
from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.hub import hub_options
from mmtbps.pretrained import resolve_pretrained

from .library_models import load_whole, model_errors, sharing_copy

__all__ = ['attention_weights', 'build_siglip', 'read_alone', 'replace_positions', 'run_slice']

# Names: the classes take seconds to import.
_KINDS = dict(vision=('SiglipVisionConfig', 'SiglipVisionModel'),
              text=('SiglipTextConfig', 'SiglipTextModel'))


def build_siglip(kind: str, name: str | None, overrides: dict[str, Any]) -> nn.Module:
    """Build the vision or the text half of a SigLIP model.

    Args:
        kind: ``'vision'`` or ``'text'``.
        name: folder of a transformers model, whole or this half, or a hub name; ``None`` for
            random weights.
        overrides: its sizes; with ``name``, what its config is to say otherwise.

    Returns:
        The module that has ``embeddings``, ``encoder`` and ``head``, in float32.

    Raises:
        FileNotFoundError: ``name`` looks like a path and is not a folder.
        BadValue: there are neither name nor sizes, or it is no SigLIP of fixed resolution.
    """
    config_type, model_type = (getattr(transformers, name) for name in _KINDS[kind])
    if name is None:
        if not overrides:
            raise BadValue(f'a SigLIP {kind} tower needs `model` (folder or hub name) or `config` '
                           '(sizes)')
        with model_errors(f'the sizes of the {kind} tower are none of a SigLIP model'):
            model = model_type(config_type(**overrides))
    else:
        name = resolve_pretrained(name)
        with model_errors(f'{name}: no SigLIP model can be read from it'):
            config, _ = transformers.PretrainedConfig.get_config_dict(name, **hub_options(name))
            _check_type(name, config.get('model_type'), kind)
            model = load_whole(model_type, name, overrides)
    # Older versions of transformers have the half as a module inside the model.
    half = getattr(model, f'{kind}_model', model).float()
    _check_head(half)
    return half


def _check_type(name: str, found: str | None, kind: str) -> None:
    if found == 'siglip2':
        raise BadValue(f'{name}: a SigLIP 2 model of variable resolution (NaFlex) takes patches, '
                       'not images; use a checkpoint of fixed resolution')
    if found not in ('siglip', f'siglip_{kind}_model'):
        raise BadValue(f'{name}: no SigLIP model with a {kind} half, but model_type={found!r}')


def _check_head(half: nn.Module) -> None:
    config = half.config
    if not getattr(config, 'vision_use_head', True):
        raise BadValue('a SigLIP vision tower without its head (vision_use_head=False) has no '
                       'feature of an image')
    wanted = getattr(config, 'projection_size', None)
    if wanted and half.head.out_features != wanted:
        raise BadValue(f'transformers {transformers.__version__} does not know projection_size='
                       f'{wanted} of SigLIP texts; install a newer one')


def replace_positions(embeddings: nn.Module, table: Tensor) -> None:
    """Give the embeddings of a vision model another number of positions.

    Args:
        embeddings: transformers' ``SiglipVisionEmbeddings``.
        table: ``(rows * columns, D)``, the position of each patch, row by row.
    """
    embeddings.position_embedding = nn.Embedding.from_pretrained(table, freeze=False)
    embeddings.num_patches = embeddings.num_positions = len(table)
    embeddings.register_buffer('position_ids', torch.arange(len(table))[None], persistent=False)


def run_slice(model: nn.Module, hidden: Tensor, start: int, stop: int) -> Tensor:
    """Run the layers from ``start`` up to, not including, ``stop``, by the library's own encoder.

    Args:
        model: as `build_siglip` returns it.
        hidden: ``(N, P, D)`` states before layer ``start``; every token is attended.
        start: number of the first layer.
        stop: number of the layer after the last.

    Returns:
        ``(N, P, D)`` states after the last of these layers; no final norm has seen them.
    """
    encoder = sharing_copy(model.encoder, {'layers': model.encoder.layers[start:stop]})
    return encoder(inputs_embeds=hidden, attention_mask=None)[0]


def attention_weights(layer: nn.Module, hidden: Tensor) -> Tensor:
    """Compute how much each token reads of each other in a layer, ``(N, heads, P, P)``.

    The fused attention keeps no weights, so they are made again of its queries and keys.

    Args:
        layer: transformers' ``SiglipEncoderLayer``.
        hidden: ``(N, P, D)`` states before the layer.
    """
    attention, normed = layer.self_attn, layer.layer_norm1(hidden)
    query, key = (states.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
                  for states in (attention.q_proj(normed), attention.k_proj(normed)))
    return (query @ key.mT * attention.scale).softmax(-1)


def read_alone(layer: nn.Module, hidden: Tensor, place: int) -> Tensor:
    """Compute the state that one token would have if it read one other alone, for each.

    Args:
        layer: transformers' ``SiglipEncoderLayer``.
        hidden: ``(N, P, D)`` states before the layer.
        place: of the token that reads.

    Returns:
        ``(N, P, D)``.
    """
    attention = layer.self_attn
    states = hidden[:, place, None] + attention.out_proj(
        attention.v_proj(layer.layer_norm1(hidden)))
    return states + layer.mlp(layer.layer_norm2(states))
