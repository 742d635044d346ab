"""CLIP models of transformers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .fit import refuse_leftovers
from .preprocessing import INTERPOLATIONS, read_colors
from .source import Source

__all__ = ['convert_hf_clip']

_NAMES = (
    (r'^vision_model\.embeddings\.class_embedding$', 'visual.class_embedding'),
    (r'^vision_model\.embeddings\.patch_embedding\.weight$', 'visual.conv1.weight'),
    (r'^vision_model\.embeddings\.position_embedding\.weight$', 'visual.positional_embedding'),
    (r'^vision_model\.pre_layrnorm\.', 'visual.ln_pre.'),  # so it is spelled
    (r'^vision_model\.post_layernorm\.', 'visual.ln_post.'),
    (r'^visual_projection\.weight$', 'visual.proj'),
    (r'^text_model\.embeddings\.token_embedding\.weight$', 'token_embedding.weight'),
    (r'^text_model\.embeddings\.position_embedding\.weight$', 'positional_embedding'),
    (r'^text_model\.final_layer_norm\.', 'ln_final.'),
    (r'^text_projection\.weight$', 'text_projection'),
    (r'^vision_model\.encoder\.layers\.', 'visual.transformer.resblocks.'),
    (r'^text_model\.encoder\.layers\.', 'transformer.resblocks.'),
    (r'\.self_attn\.out_proj\.', '.attn.out_proj.'),
    (r'\.layer_norm([12])\.', r'.ln_\1.'),
    (r'\.mlp\.fc1\.', '.mlp.c_fc.'), (r'\.mlp\.fc2\.', '.mlp.c_proj.'))
_SAME = dict.fromkeys(('gelu_pytorch_tanh', 'gelu_new'), 'gelu_tanh')  # other names of it
_EPS = 1e-5  # of CLIP's norms
_HEADS = 12, 8  # of CLIPConfig, where a config.json does not say them
_TRANSPOSED = ('visual.proj', 'text_projection')


def convert_hf_clip(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a ``CLIPModel`` of transformers, a folder or a file of it.

    ``config.json`` beside the weights says the activation and the heads, and
    ``preprocessor_config.json`` the colors.

    Raises:
        BadValue: the activation is unknown, the towers differ in it, or it is no CLIP.
    """
    if 'vision_model.embeddings.class_embedding' not in source.state:
        raise BadValue('this is no CLIPModel of transformers: it has no '
                       'vision_model.embeddings.class_embedding')
    config = source.config('config.json') or {}
    halves = [_half(config, half) for half in ('vision', 'text')]
    options = replace(options, activation=options.activation or _activation(halves))
    renamed, origins = _rename(source.state)
    processor = source.config('preprocessor_config.json') or {}
    colors = read_colors(processor, 'image_mean', 'image_std')
    result = convert_clip(
        renamed, options, colors=colors,
        interpolation=INTERPOLATIONS.get(processor.get('resample'), 'bicubic'),
        heads=tuple(half and half.get('num_attention_heads', default)
                    for half, default in zip(halves, _HEADS, strict=True)))
    result.used = [origin for key in result.used for origin in origins[key]]
    result.misshapen = [' + '.join(origins[key]) + f' {rest}' for key, _, rest in
                        (line.partition(' ') for line in result.misshapen)]
    named = {*result.used, *result.dropped, *result.unexpected}
    result.unexpected += [key for key in source.state if key not in named]
    refuse_leftovers(result.unexpected, 'CLIP')
    return result


def _rename(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Bring weights to OpenAI's names and layout; return also the source keys of each."""
    renamed: dict[str, Tensor] = {}
    origins: dict[str, list[str]] = {}
    for key, value in state.items():
        name = key
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        thirds = re.fullmatch(r'(.*)\.self_attn\.q_proj\.(weight|bias)', name)
        if thirds:
            joined = [key.replace('.q_proj.', f'.{part}_proj.') for part in 'qkv']
            name = f'{thirds[1]}.attn.in_proj_{thirds[2]}'
            if all(part in state for part in joined):
                renamed[name] = torch.cat([state[part] for part in joined])
                origins[name] = joined
        elif not re.search(r'\.self_attn\.[kv]_proj\.', name):
            renamed[name] = value.T if name in _TRANSPOSED else value
            origins[name] = [key]
    return renamed, origins


def _half(config: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return the settings of a half; ``None`` if the config has none, so is not of such a model."""
    if f'{name}_config' not in config and f'{name}_config_dict' not in config:
        return None
    # Former versions wrote both, and the second counted.
    half: dict[str, Any] = {}
    for key in (f'{name}_config', f'{name}_config_dict'):
        if not isinstance(config.get(key) or {}, dict):
            raise BadValue(f'{key} of its config.json must be an object, got {config[key]!r}')
        half |= config.get(key) or {}
    if not isinstance(half.get('num_attention_heads', 1), int):
        raise BadValue(f'the heads in its config.json must be a number, got '
                       f'{half["num_attention_heads"]!r}')
    if half.get('layer_norm_eps', _EPS) != _EPS:
        raise BadValue(f"its norms have an epsilon of {half['layer_norm_eps']}, CLIP's of {_EPS}; "
                       'its features would be others')
    return half


def _activation(halves: list[Mapping[str, Any] | None]) -> str:
    if None in halves:
        raise BadValue('a file of weights does not say its activation: name it with --activation, '
                       'or put its config.json beside it')
    found = {half.get('hidden_act', 'quick_gelu') for half in halves}
    if len(found) > 1:
        raise BadValue(f'its towers have different activations, {sorted(found)}')
    activation = found.pop()
    return _SAME.get(activation, activation)
