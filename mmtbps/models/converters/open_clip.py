"""CLIP models trained with open_clip."""

import re
from dataclasses import replace
from typing import Any

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .openai_clip import refuse_resnet
from .preprocessing import read_colors
from .source import Source

__all__ = ['convert_open_clip']

# Trained with OpenAI's activation, or with the exact one; no file of weights says so.
_QUICK = re.compile('quickgelu|openai|dfn|metaclip', re.IGNORECASE)
_EXACT = re.compile('laion|datacomp|commonpool', re.IGNORECASE)
_CONFIG = 'open_clip_config.json'
#: Settings of a tower that change its features, and their values in a CLIP ViT.
_AS_CLIP = dict(
    pool_type=(None, 'tok', 'argmax'), global_average_pool=(False, ), attentional_pool=(False, ),
    final_ln_after_pool=(False, ), no_ln_pre=(False, ), no_causal_mask=(False, ),
    embed_cls=(False, ), qk_norm=(False, ), proj_type=(None, 'linear'), proj_bias=(False, ),
    ls_init_value=(None, ), pos_embed_type=(None, 'learnable'), act_kwargs=(None, {}),
    norm_kwargs=(None, {}), timm_model_name=(None, ''), hf_model_name=(None, ''))


def convert_open_clip(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a CLIP ViT of open_clip, also one with ``custom_text``.

    Reproducible scaling laws for contrastive language-image learning,
    https://arxiv.org/abs/2212.07143. ``open_clip_config.json`` beside the weights says the
    activation, the heads and the preprocessing; without it the name of the file may, or the user.

    Raises:
        BadValue: the activation is unknown, or it is no CLIP with a Vision Transformer of
            open_clip's own.
    """
    refuse_resnet(source.state)
    if any(key.startswith('visual.trunk.') for key in source.state):
        raise BadValue('its image tower is one of timm (visual.trunk.*), not a CLIP ViT')
    config = source.config(_CONFIG) or {}
    _refuse_others(config.get('model_cfg') or {})
    options = replace(options, activation=options.activation or _activation(source.name, config))
    text = 'text.' if 'text.token_embedding.weight' in source.state else ''
    preprocess = config.get('preprocess_cfg') or {}
    return convert_clip(source.state, options, text=text,
                        colors=read_colors(preprocess, 'mean', 'std'),
                        heads=_heads(config.get('model_cfg') or {}),
                        interpolation=preprocess.get('interpolation', 'bicubic'))


def _refuse_others(settings: dict[str, Any]) -> None:
    """Refuse a network that computes other features with the same weights."""
    for half in ('vision_cfg', 'text_cfg'):
        for key, value in (settings.get(half) or {}).items():
            if key in _AS_CLIP and value not in _AS_CLIP[key]:
                raise BadValue(f'{half}.{key} is {value!r} in its {_CONFIG}, with which a CLIP ViT '
                               'of ours would compute other features')


def _heads(settings: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the heads of both towers where a config says them."""
    vision, text = settings.get('vision_cfg') or {}, settings.get('text_cfg') or {}
    width, head_width = vision.get('width'), vision.get('head_width')
    return width // head_width if width and head_width else None, text.get('heads')


def _activation(name: str, config: dict[str, Any]) -> str:
    if 'model_cfg' in config:
        return 'quick_gelu' if config['model_cfg'].get('quick_gelu') else 'gelu'
    quick, exact = _QUICK.search(name), _EXACT.search(name)
    if bool(quick) == bool(exact):
        raise BadValue(
            'a file of weights does not say its activation: weights of OpenAI, DFN and MetaCLIP '
            'and all models named quickgelu have quick_gelu, those of LAION and DataComp gelu. '
            'Name it with --activation')
    return 'quick_gelu' if quick else 'gelu'
