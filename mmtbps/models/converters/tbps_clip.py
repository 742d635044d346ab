"""TBPS-CLIP."""

from dataclasses import replace

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .preprocessing import IMAGENET_COLORS
from .source import Source

__all__ = ['convert_tbps_clip']

_TRAINING_ONLY = {
    'simclr_mlp': 'training-only, views of an image', 'classifier': 'training-only, identities',
    **dict.fromkeys(('cross_attn', 'cross_modal_transformer', 'ln_pre_t', 'ln_pre_i', 'ln_post',
                     'mlm_head'), 'training-only, masked words')}


def convert_tbps_clip(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of TBPS-CLIP, full or simplified.

    An Empirical Study of CLIP for Text-based Person Search, https://arxiv.org/abs/2308.10045: 224
    pixels square, ImageNet's colors, captions without punctuation.

    Raises:
        BadValue: it is another layout, or for another size of images than is named.
    """
    if 'encode_text.token_embedding.weight' not in source.state:
        raise BadValue('this is no TBPS-CLIP: it has no encode_text.token_embedding.weight')
    options = replace(options, activation=options.activation or 'quick_gelu')
    return convert_clip(source.state, options, text='encode_text.', image_size=(224, 224),
                        training_only=_TRAINING_ONLY, colors=IMAGENET_COLORS, clean='tbps_clip')
