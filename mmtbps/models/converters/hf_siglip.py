"""SigLIP models of transformers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .fit import check_weights, drop_training_only
from .preprocessing import INTERPOLATIONS, preprocessor, published_pipeline, read_colors
from .source import Source

__all__ = ['convert_hf_siglip']

_HALVES = {'vision_model.': 'image_backbone.siglip.', 'text_model.': 'text_backbone.siglip.'}
_GRAY = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_TOKENIZER = 'tokenizer.json'


def convert_hf_siglip(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a ``SiglipModel`` of transformers: SigLIP, or SigLIP 2 of fixed resolution.

    Sigmoid Loss for Language Image Pre-Training, https://arxiv.org/abs/2303.15343.
    ``config.json`` beside the weights says the heads, ``preprocessor_config.json`` the colors. A
    model folder takes the tokenizer from there, too, if it is a fast one.

    Raises:
        BadValue: it is no SigLIP of fixed resolution, or has no ``config.json`` beside it.
    """
    state, config = source.state, source.config('config.json')
    if 'vision_model.head.probe' not in state:
        raise BadValue('this is no SiglipModel of transformers: it has no vision_model.head.probe')
    if config is None or config.get('model_type') not in (None, 'siglip'):
        raise BadValue("needs the config.json of a model of type 'siglip' beside it, which says "
                       f'the heads of the attention; got {(config or {}).get("model_type")}')
    if options.activation:
        raise BadValue('--activation is for CLIP; that of SigLIP is known')
    result = Conversion()
    for key, value in state.items():
        prefix = next((prefix for prefix in _HALVES if key.startswith(prefix)), None)
        if prefix is None:
            result.unexpected.append(key)
        else:
            result.used.append(key)
            result.state_dict[_HALVES[prefix] + key.removeprefix(prefix)] = value
    drop_training_only(result, {})
    _describe(result, source, options, _sizes(result.state_dict, config))
    return result


def _describe(result: Conversion, source: Source, options: ConversionOptions,
              sizes: dict[str, dict[str, Any]]) -> None:
    """Write the settings of model and pipeline, and compare the weights with them."""
    processor, tokenizer = source.config('preprocessor_config.json') or {}, _find_tokenizer(source)
    length = sizes['text_config']['max_position_embeddings']
    side = sizes['vision_config']['image_size']
    result.model = dict(
        type='TextImageRetriever',
        data_preprocessor=preprocessor(
            *read_colors(processor, 'image_mean', 'image_std', _GRAY),
            # The last place is read, so that all captions have all places.
            min_length=length, pad_token_id=tokenizer.pad_token_id),
        image_backbone=dict(type='SigLIPVisionTower', config=sizes['vision_config'],
                            img_size=(side, side)),
        text_backbone=dict(type='SigLIPTextTower', config=sizes['text_config']))
    check_weights(result)
    size = result.model['image_backbone']['img_size'] = options.image_size or (side, side)
    result.pipeline = published_pipeline(
        size, INTERPOLATIONS.get(processor.get('resample'), 'bicubic'),
        dict(tokenizer=tokenizer.folder, max_length=length, clean=tokenizer.clean))
    result.no_folder = tokenizer.obstacle


@dataclass(frozen=True)
class _Tokenizer:
    """The tokenizer beside the weights, as far as settings need it.

    Args:
        folder: where it lies.
        pad_token_id: the id of its padding.
        clean: cleaning that goes before.
        obstacle: why a model folder cannot take it.
    """

    folder: str = ''
    pad_token_id: int = 0
    clean: str = 'lower'
    obstacle: str = ''


def _find_tokenizer(source: Source) -> _Tokenizer:
    """Read the tokenizer beside the weights."""
    content, config = source.config(_TOKENIZER), source.config('tokenizer_config.json') or {}
    if content is None:
        return _Tokenizer(obstacle=f'the {_TOKENIZER} of its tokenizer is not beside it')
    pad = config.get('pad_token', '<pad>')
    pad = pad.get('content') if isinstance(pad, dict) else pad
    ids = {token['content']: token['id'] for token in content.get('added_tokens', [])}
    vocabulary = content.get('model', {}).get('vocab')
    ids = {**(vocabulary if isinstance(vocabulary, dict) else {}), **ids}
    if pad not in ids:
        return _Tokenizer(obstacle=f'its tokenizer has no padding {pad!r}')
    # SigLIP 2 has Gemma's tokenizer, which keeps capitals unless it is told otherwise.
    first = config.get('tokenizer_class', '').startswith(('SiglipTokenizer', 'T5'))
    return _Tokenizer(str(Path(source.folder).resolve()), ids[pad], 'siglip' if first else 'lower')


def _sizes(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Collect the sizes of both halves from the weights, and from the config what they lack."""
    try:
        vision = {**_layer_sizes(state, 'image_backbone'),
                  'patch_size': state['image_backbone.siglip.embeddings.patch_embedding.weight'
                                      ].shape[-1]}
        places = len(state['image_backbone.siglip.embeddings.position_embedding.weight'])
        words = len(state['text_backbone.siglip.embeddings.token_embedding.weight'])
        text = {**_layer_sizes(state, 'text_backbone'), 'vocab_size': words,
                'max_position_embeddings': len(
                    state['text_backbone.siglip.embeddings.position_embedding.weight']),
                'projection_size': len(state['text_backbone.siglip.head.weight'])}
    except KeyError as error:
        raise BadValue(f'{error.args[0]} is missing, by which the size of the model would be '
                       'known') from None
    side = round(places**0.5)
    if side * side != places:
        raise BadValue(f'its {places} patch positions are no square')
    vision['image_size'] = side * vision['patch_size']
    for half, sizes in (('vision_config', vision), ('text_config', text)):
        given = config.get(half) or {}
        sizes.update({key: given[key] for key in (
            'num_attention_heads', 'hidden_act', 'layer_norm_eps') if key in given})
    return dict(vision_config=vision, text_config=text)


def _layer_sizes(state: Mapping[str, Tensor], tower: str) -> dict[str, int]:
    prefix = f'{tower}.siglip.encoder.layers.'
    depth = 1 + max((int(key.removeprefix(prefix).split('.')[0]) for key in state
                     if key.startswith(prefix)), default=-1)
    inner, width = state[f'{prefix}0.mlp.fc1.weight'].shape
    return dict(hidden_size=width, num_hidden_layers=depth, intermediate_size=inner)
