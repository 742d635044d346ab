"""CLIP towers of ours as a ``CLIPModel`` of transformers."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.models.backbones import CLIPTextTower, CLIPVisionTower
from mmtbps.models.backbones.clip_layers import QuickGELU

from .base import LibraryModel, check_neck, refuse
from .square_positions import square_positions

__all__ = ['clip_to_transformers']

_BLOCKS = 'transformer.resblocks.'
#: Their names of parts, by ours.
_TOWERS = dict(image_backbone='vision_model', text_backbone='text_model')
_PARTS = {
    'class_embedding': 'embeddings.class_embedding',
    'conv1.weight': 'embeddings.patch_embedding.weight',
    'positional_embedding': 'embeddings.position_embedding.weight',
    'token_embedding.weight': 'embeddings.token_embedding.weight',
    'ln_pre': 'pre_layrnorm',  # so it is spelled
    'ln_post': 'post_layernorm', 'ln_final': 'final_layer_norm'}
_PROJECTIONS = {'image_neck.projection.weight': 'visual_projection.weight',
                'text_neck.projection.weight': 'text_projection.weight'}
_LAYER_PARTS = {'attn.out_proj': 'self_attn.out_proj', 'ln_1': 'layer_norm1',
                'ln_2': 'layer_norm2', 'mlp.c_fc': 'mlp.fc1', 'mlp.c_proj': 'mlp.fc2'}
_GELU = dict(none='gelu', tanh='gelu_pytorch_tanh')  # by the approximation


def clip_to_transformers(model: nn.Module, state: Mapping[str, Tensor],
                         end_token_id: int) -> LibraryModel:
    """Describe a model of CLIP towers as a ``CLIPModel``.

    Its score is the cosine, as ours is: ``logit_scale`` is 0.

    Args:
        model: a `TextImageRetriever`.
        state: its weights, for inference.
        end_token_id: of its tokenizer.

    Raises:
        BadValue: it differs from CLIP in more than sizes.
    """
    vision, text = model.image_backbone, model.text_backbone
    _check_towers(vision, text)
    for side in ('image', 'text'):
        check_neck(getattr(model, f'{side}_neck'), side)
    weights = {theirs: value for key, value in state.items()
               for theirs, value in _renamed(key, value)}
    for tower, (ours, theirs) in zip((vision, text), _PROJECTIONS.items(), strict=True):
        # Where there is no projection, one that changes nothing.
        weights[theirs] = state.get(ours, torch.eye(tower.out_dims))
    if not model.data_preprocessor.to_rgb:  # then it was trained on the loader's BGR
        pixels = f'vision_model.{_PARTS["conv1.weight"]}'
        weights[pixels] = weights[pixels].flip(1)
    places = f'vision_model.{_PARTS["positional_embedding"]}'
    weights[places] = square_positions(weights[places], vision.grid, 1)
    weights['logit_scale'] = torch.tensor(0.)
    config = _config(vision, text, len(weights['visual_projection.weight']), end_token_id)
    return LibraryModel(config, weights, 'CLIPImageProcessor', 'CLIPProcessor', 'longest',
                        vision.img_size[0] != vision.img_size[1])


def _check_towers(vision: nn.Module, text: nn.Module) -> None:
    if type(vision) is not CLIPVisionTower or type(text) is not CLIPTextTower:
        raise refuse(f'its towers are {type(vision).__name__} and {type(text).__name__}')
    patch, step = vision.conv1.kernel_size[0], vision.conv1.stride[0]
    if step != patch:
        raise refuse(f'its patches of {patch} pixels lie {step} pixels apart, those of CLIPModel '
                     'side by side')
    if isinstance(vision.ln_pre, nn.Identity):
        raise refuse('it has no norm before the first layer of images')


def _renamed(key: str, value: Tensor) -> list[tuple[str, Tensor]]:
    """Bring a weight of a tower to their names; queries, keys and values are apart there."""
    tower, _, inside = key.partition('.')
    if tower not in _TOWERS:
        return []
    place = _TOWERS[tower]
    if not inside.startswith(_BLOCKS):
        part = next(part for part in _PARTS if inside == part or inside.startswith(f'{part}.'))
        return [(f'{place}.{_PARTS[part]}{inside.removeprefix(part)}', value)]
    number, _, inside = inside.removeprefix(_BLOCKS).partition('.')
    place = f'{place}.encoder.layers.{number}'
    if inside.startswith('attn.in_proj_'):
        kind = inside.removeprefix('attn.in_proj_')
        return [(f'{place}.self_attn.{third}_proj.{kind}', part)
                for third, part in zip('qkv', value.chunk(3), strict=True)]
    part = next(part for part in _LAYER_PARTS if inside.startswith(f'{part}.'))
    return [(f'{place}.{_LAYER_PARTS[part]}{inside.removeprefix(part)}', value)]


def _config(vision: CLIPVisionTower, text: CLIPTextTower, dimensions: int,
            end_token_id: int) -> dict[str, Any]:
    patch = vision.conv1.kernel_size[0]
    square = vision.img_size[0] == vision.img_size[1]
    side = vision.img_size[0] if square else patch * max(vision.grid)
    return dict(
        architectures=['CLIPModel'], model_type='clip', projection_dim=dimensions,
        logit_scale_init_value=0.,
        vision_config=dict(
            model_type='clip_vision_model', image_size=side, patch_size=patch,
            projection_dim=dimensions, **_layer_sizes(vision)),
        text_config=dict(
            model_type='clip_text_model', vocab_size=text.vocab_size,
            max_position_embeddings=len(text.positional_embedding), projection_dim=dimensions,
            eos_token_id=end_token_id, **_layer_sizes(text)))


def _layer_sizes(tower: CLIPVisionTower | CLIPTextTower) -> dict[str, Any]:
    block = tower.layers[0]
    gelu = block.mlp.activation
    return dict(hidden_size=tower.out_dims, num_hidden_layers=tower.depth,
                num_attention_heads=block.attn.heads,
                intermediate_size=block.mlp.c_fc.out_features,
                layer_norm_eps=block.ln_1.eps,
                hidden_act='quick_gelu' if isinstance(gelu, QuickGELU)
                else _GELU[gelu.approximate])
