"""BLIP, and the methods that publish its layout; also under the names of transformers."""

import re

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .fusion_layout import Reading, describe, rename, take_vit
from .preprocessing import CLIP_COLORS
from .source import Source

__all__ = ['convert_blip']

_READING = Reading(CLIP_COLORS, 73, 'blip')
_NAMES = {'visual_encoder.': 'image_backbone.', 'text_encoder.': 'text_backbone.',
          'vision_proj.': 'image_neck.projection.', 'text_proj.': 'text_neck.projection.',
          'itm_head.': 'match_head.'}
_DROPPED = {r'\w+_m\.': 'momentum copy',
            r'(image|text|idx)_queue$|(ptr_queue|queue_ptr)$': 'queue of features of training',
            r'text_encoder\.cls\.': 'training-only, masked words',
            r'text_decoder\.': 'training-only, words written or masked',
            r'itm_local_head\.': 'training-only, parts of captions of CADA'}
#: Names of timm for those of transformers.
_LIBRARY = ((r'^vision_model\.embeddings\.class_embedding$', 'visual_encoder.cls_token'),
            (r'^vision_model\.embeddings\.position_embedding$', 'visual_encoder.pos_embed'),
            (r'^vision_model\.embeddings\.patch_embedding\.', 'visual_encoder.patch_embed.proj.'),
            (r'^vision_model\.post_layernorm\.', 'visual_encoder.norm.'),
            (r'^vision_model\.encoder\.layers\.', 'visual_encoder.blocks.'),
            (r'\.self_attn\.qkv\.', '.attn.qkv.'), (r'\.self_attn\.projection\.', '.attn.proj.'),
            (r'\.layer_norm([12])\.', r'.norm\1.'))


def convert_blip(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of BLIP's layout: BLIP for retrieval, GTR+'s cross-encoder, CADA.

    BLIP: Bootstrapping Language-Image Pre-training, https://arxiv.org/abs/2201.12086. Its first
    score is the cosine of the projected first tokens, of a ViT and of BERT; its second the logit of
    a linear classifier on the same BERT, whose layers read the image and whose first token is one
    of its own. A folder of transformers' ``BlipForImageTextRetrieval`` is read as well.

    Raises:
        BadValue: it is another layout.
    """
    theirs = {key: key for key in source.state}
    if 'vision_model.embeddings.class_embedding' in theirs:
        theirs = {_published_name(key): key for key in theirs}
    if 'visual_encoder.cls_token' not in theirs or (
            'text_encoder.embeddings.word_embeddings.weight' not in theirs):
        raise BadValue('this is no BLIP: it has no visual_encoder and text_encoder.embeddings')
    result = rename({name: source.state[key] for name, key in theirs.items()}, _NAMES, _DROPPED)
    image = take_vit(result, options)
    result.used = [theirs[name] for name in result.used]
    result.unexpected = [theirs[name] for name in result.unexpected]
    describe(result, options, image, _READING)
    return result


def _published_name(key: str) -> str:
    """Bring a name of transformers to that of BLIP's own code.

    >>> _published_name('vision_model.encoder.layers.3.self_attn.projection.bias')
    'visual_encoder.blocks.3.attn.proj.bias'
    """
    for pattern, name in _LIBRARY if key.startswith('vision_model.') else ():
        key = re.sub(pattern, name, key)
    return key
