"""APTM, and the methods that publish its layout."""

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .fusion_layout import Reading, describe, rename
from .source import Source

__all__ = ['READINGS', 'convert_aptm']

#: (height, width) that the family trains at.
_IMAGE_SIZE = (384, 128)
_TOKENS = 56
#: Colors and cleaning by the data set of a training; the MALS pre-training is tested as CUHK.
READINGS = {
    'cuhk': Reading(((.38901278, .3651612, .34836376), (.24344306, .23738699, .23368555)),
                    _TOKENS, None),
    'icfg': Reading(((.30941582, .28956893, .30347288), (.25849792, .24547698, .2366199)),
                    _TOKENS, 'aptm'),
    'rstp': Reading(((.27722597, .26065794, .3036557), (.2609547, .2508087, .25293276)),
                    _TOKENS, 'aptm')}
_NAMES = {'vision_encoder.': 'image_backbone.', 'text_encoder.bert.': 'text_backbone.',
          'vision_proj.': 'image_neck.projection.', 'text_proj.': 'text_neck.projection.',
          'itm_head.': 'match_head.'}
_DROPPED = {r'text_encoder\.cls\.': 'training-only, masked words'}
_BLOCK = re.compile(r'image_backbone\.layers\.(\d+)\.(?:blocks\.(\d+)|downsample)\.')


def convert_aptm(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of APTM's layout: APTM, MRA, SDA.

    Towards Unified Text-based Person Retrieval (APTM), https://arxiv.org/abs/2306.02898. Its first
    score is the cosine of the projected first tokens, of Swin and of six layers of BERT; its second
    the logit of the classifier on six further layers that read the image.

    Raises:
        BadValue: it is another layout, or for another size of images than is named.
    """
    if 'vision_encoder.patch_embed.proj.weight' not in source.state:
        raise BadValue('this is no APTM: it has no vision_encoder.patch_embed.proj')
    result = rename(source.state, _NAMES, _DROPPED)
    depths = _count_blocks(result.state_dict)
    result.state_dict = {_flat_name(name, depths): value
                         for name, value in result.state_dict.items()}
    size = options.image_size or _IMAGE_SIZE
    image = dict(type='SwinTower', img_size=size, **_sizes(result.state_dict, depths))
    data = options.data_set or 'cuhk'
    describe(result, options, image, READINGS[data])
    return result


def _count_blocks(state: Mapping[str, Tensor]) -> list[int]:
    """Count the blocks of each stage."""
    blocks: dict[int, int] = {}
    for name in state:
        if (match := _BLOCK.match(name)) and match[2]:
            stage, block = int(match[1]), int(match[2])
            blocks[stage] = max(blocks.get(stage, 0), block + 1)
    if sorted(blocks) != list(range(len(blocks))):
        raise BadValue(f'its image tower has blocks in the stages {sorted(blocks)} only')
    return [blocks[stage] for stage in sorted(blocks)]


def _flat_name(name: str, depths: list[int]) -> str:
    """Number a block through all stages, and give the merging of patches to the last of a stage.

    >>> _flat_name('image_backbone.layers.1.blocks.0.norm1.bias', [2, 2])
    'image_backbone.layers.2.norm1.bias'
    >>> _flat_name('image_backbone.layers.0.downsample.norm.bias', [2, 2])
    'image_backbone.layers.1.downsample.norm.bias'
    """
    match = _BLOCK.match(name)
    if not match or int(match[1]) >= len(depths):
        return name
    stage = int(match[1])
    block = sum(depths[:stage]) + (int(match[2]) if match[2] else depths[stage] - 1)
    rest = name[match.end():] if match[2] else f'downsample.{name[match.end():]}'
    return f'image_backbone.layers.{block}.{rest}'


def _sizes(state: Mapping[str, Tensor], depths: list[int]) -> dict[str, Any]:
    """Read the sizes of Swin off its weights."""
    width, _, patch, _ = state['image_backbone.patch_embed.proj.weight'].shape
    tables = [state.get(f'image_backbone.layers.{sum(depths[:stage])}.attn.'
                        'relative_position_bias_table') for stage in range(len(depths))]
    if not tables or any(table is None or table.ndim != 2 for table in tables):
        raise BadValue('a stage of its image tower has no relative_position_bias_table, by which '
                       'its window would be known')
    windows = [(math.isqrt(len(table)) + 1) // 2 for table in tables]
    return dict(patch_size=patch, width=width, depths=tuple(depths), window=max(windows),
                heads=tuple(table.shape[1] for table in tables))
