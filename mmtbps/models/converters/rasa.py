"""RaSa, and ALBEF, whose layout it is."""

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .fusion_layout import Reading, describe, rename, take_vit
from .preprocessing import CLIP_COLORS
from .source import Source

__all__ = ['convert_rasa']

_READING = Reading(CLIP_COLORS, 50, 'rasa')
_NAMES = {'visual_encoder.': 'image_backbone.', 'text_encoder.bert.': 'text_backbone.',
          'vision_proj.': 'image_neck.projection.', 'text_proj.': 'text_neck.projection.',
          'itm_head.': 'match_head.'}
_DROPPED = {r'\w+_m\.': 'momentum copy',
            r'(image|text|idx)_queue$|queue_ptr$': 'queue of features of training',
            r'text_encoder\.cls\.': 'training-only, masked words',
            r'prd_head\.': 'training-only, weak pairs of RaSa',
            r'mrtd_head\.': 'training-only, replaced words of RaSa'}


def convert_rasa(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of RaSa's layout: RaSa, ALBEF.

    RaSa: Relation and Sensitivity Aware Representation Learning for Text-based Person Search,
    https://arxiv.org/abs/2305.13653. Its first score is the cosine of the projected first tokens,
    of a ViT and of six layers of BERT; its second the logit of a linear classifier on six further
    layers that read the image.

    Raises:
        BadValue: it is another layout.
    """
    if not any(key.startswith('text_encoder.bert.') for key in source.state) or (
            'visual_encoder.cls_token' not in source.state):
        raise BadValue('this is no RaSa: it has no visual_encoder and text_encoder.bert')
    result = rename(source.state, _NAMES, _DROPPED)
    describe(result, options, take_vit(result, options), _READING)
    return result
