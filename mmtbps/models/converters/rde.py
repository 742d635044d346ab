"""RDE, and the methods that publish its layout."""

import re
from dataclasses import replace

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .irra import IMAGE_SIZE, TRAINING_ONLY
from .source import Source

__all__ = ['convert_rde']

_IMAGE, _TEXT = 'visul_emb_layer.', 'texual_emb_layer.'  # so they are spelled
# The shortcut around the MLP has one name on the image's side and another on the text's.
_SHORTCUTS = dict(image=f'{_IMAGE}fc.', text=f'{_TEXT}linear.')
_UNUSED = re.compile(r'visul_emb_layer\.linear\.|(visul|texual)_emb_layer\.mlp\.bns\.1\.')


def convert_rde(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of RDE's layout: RDE, KPDM, ICL, CONQUER.

    Noisy-Correspondence Learning for Text-to-Image Person Re-identification,
    https://arxiv.org/abs/2308.09911. The two embeddings of its score are the parts of
    :class:`~mmtbps.models.necks.TokenSelectionNeck`; a dot product of features is the mean of their
    cosines, which is the published score.

    Raises:
        BadValue: it is another layout, or for another size of images than is named.
    """
    state = source.state
    if any(f'{shortcut}weight' not in state for shortcut in _SHORTCUTS.values()):
        raise BadValue('this is no RDE: it has no visul_emb_layer.fc and texual_emb_layer.linear')
    unused = {key: 'stored by RDE and never used' for key in state if _UNUSED.match(key)}
    neck = dict(type='TokenSelectionNeck', selection_dims=len(state[f'{_IMAGE}fc.weight']))
    if options.select_ratio:
        neck['ratio'] = options.select_ratio
    result = convert_clip(
        {key: value for key, value in state.items() if key not in unused},
        replace(options, activation=options.activation or 'quick_gelu'),
        image='base_model.visual.', text='base_model.', image_size=IMAGE_SIZE,
        training_only=TRAINING_ONLY, interpolation='bilinear',
        further_names={_SHORTCUTS['text']: 'text_neck.fc.', _IMAGE: 'image_neck.',
                       _TEXT: 'text_neck.'},
        # RDE counts words by ids other than 0, which is both the padding and "!".
        overrides=dict(image_neck=dict(neck, side='image'), text_neck=dict(neck, side='text'),
                       text_backbone=dict(filler_id=0)))
    context_length = result.model['text_backbone']['context_length']
    result.model['text_neck']['context_length'] = context_length
    result.dropped.update(unused)
    return result
