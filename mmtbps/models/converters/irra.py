"""IRRA, and the methods that publish its layout."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mmtbps.errors import BadValue, MissingFile

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .source import Source

__all__ = ['IMAGE_SIZE', 'TRAINING_ONLY', 'convert_irra', 'read_training_config']

_MASKED_WORDS = 'training-only, masked words of IRRA, GA-DMS and SEN'
_MATCHING = 'training-only, of VFE-TPS'
_PATCHES = 'training-only, restored patches of SEN'
#: Reasons to leave out keys of the family, by their first word.
TRAINING_ONLY = {
    'classifier': 'training-only, identities',
    **dict.fromkeys(('cross_attn', 'cross_modal_transformer', 'ln_pre_t', 'ln_pre_i', 'ln_post',
                     'mlm_head', 'cross_attn_mlm', 'cross_modal_transformer_mlm'), _MASKED_WORDS),
    **dict.fromkeys(('mlp_itm', 'decoder', 'cross_attention_image',
                     'cross_modal_transformer_image'), _MATCHING),
    **dict.fromkeys(('decoder_pos_embed', 'decoder_embed', 'decoder_pred', 'cross_attn_Text',
                     'cross_attn_TextImage', 'cross_attn_Image', 'cross_modal_transformer_mae',
                     *(f'norm_{number}' for number in range(1, 8))), _PATCHES),
    **dict.fromkeys(('fuse_head', 'norm_image', 'norm_text'), 'training-only, fusion of SEN'),
    'mask_token': 'training-only, masked patches of VFE-TPS and SEN'}
#: (height, width) that the family trains at.
IMAGE_SIZE = (384, 128)


def convert_irra(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of IRRA's layout: IRRA, NAM, HAM, GTR+, GA-DMS, FMFA, CRST, VFE-TPS, SEN.

    Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval,
    https://arxiv.org/abs/2303.12501. Their score is the cosine of CLIP's projected features; all
    beyond the towers is for training and left out.

    Raises:
        BadValue: it is another layout, or for another size of images than is named.
    """
    if any(key.startswith(('visul_emb_layer.', 'texual_emb_layer.')) for key in source.state):
        raise BadValue('this is a model of RDE, whose score needs its token selection: kind rde')
    if any(key.startswith('LORA_learner.') for key in source.state):
        raise BadValue('this is a model of UP-Person, with prefixes and adapters: kind up_person')
    options = replace(options, activation=options.activation or 'quick_gelu')
    return convert_clip(source.state, options, image='base_model.visual.', text='base_model.',
                        image_size=IMAGE_SIZE, training_only=TRAINING_ONLY,
                        interpolation='bilinear')


class _PlainLoader(yaml.SafeLoader):
    """YAML loader that reads Python's tagged tuples as lists, and makes no other object."""


def _plain(loader: yaml.Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node) if isinstance(node, yaml.MappingNode) else None


_PlainLoader.add_multi_constructor('tag:yaml.org,2002:python/', _plain)


def read_training_config(path: Path) -> ConversionOptions:
    """Read the ``configs.yaml`` that the code of IRRA and RDE leaves beside weights.

    Image size, stride and, of RDE, the share of selected tokens are taken.

    Raises:
        MissingFile: there is no such file.
        BadValue: it is no YAML, or its sizes are none.
    """
    if not path.is_file():
        raise MissingFile(f'{path}: no such file')
    try:
        settings = yaml.load(path.read_text(encoding='utf-8'), Loader=_PlainLoader)
        size, stride, ratio = map(settings.get, ('img_size', 'stride_size', 'select_ratio'))
        size = None if size is None else (int(size[0]), int(size[1]))
        stride = None if stride is None else int(stride)
        ratio = None if ratio is None else float(ratio)
        if min(*(size or (1, 1)), 1 if stride is None else stride) < 1:
            raise ValueError(f'got {size} and {stride}')
        if ratio is not None and not 0 < ratio <= 1:
            raise ValueError(f'select_ratio must lie in (0, 1], got {ratio}')
        return ConversionOptions(image_size=size, stride=stride, select_ratio=ratio)
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, ValueError,
            IndexError) as error:
        reason = ' '.join(str(error).split())
        raise BadValue(f'{path}: no configs.yaml of IRRA with img_size and stride_size '
                       f'({reason})') from error
