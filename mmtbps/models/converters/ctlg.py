"""Whole models of the official CTLG code."""

import re

from torch import Tensor

from .base import Conversion
from .fit import refuse_leftovers
from .timm import CLASSIFIER, vit_from_timm

__all__ = ['retriever_from_ctlg']

_BERT = re.compile(
    r'embeddings\.((word|position|token_type)_embeddings\.weight|LayerNorm\.(weight|bias)'
    r'|position_ids|token_type_ids)|pooler\.dense\.(weight|bias)'
    r'|encoder\.layer\.\d+\.(attention\.self\.(query|key|value)|attention\.output\.dense'
    r'|attention\.output\.LayerNorm|intermediate\.dense|output\.dense|output\.LayerNorm)'
    r'\.(weight|bias)')
_HEADS = ('img_head', 'txt_head', 'share_head')


def retriever_from_ctlg(state: dict[str, Tensor]) -> Conversion:
    """Convert an official CTLG checkpoint to ``TextImageRetriever`` with ViT and BERT towers.

    Args:
        state: its state dict, keys ``module.model_img.*`` and ``module.model_txt.*`` (the
            ``module.`` of DataParallel may be missing).

    Raises:
        ValueError: one of the towers is not there, there are weights without a place, or features
            go through a head after them, of which the weights do not say what is in it.
    """
    short = {key.removeprefix('module.'): key for key in state}
    heads = [name for name in short if name.split('.')[0] in _HEADS]
    if heads:
        raise ValueError(f'this variant of CTLG has a head after its towers ({heads[0]}), without '
                         'which its features would be others; it cannot be converted')
    image_prefix = _prefix_before(short, 'model_img', 'patch_embed.proj.weight')
    text_prefix = _prefix_before(short, 'model_txt', 'embeddings.word_embeddings.weight')
    image = vit_from_timm({name.removeprefix(image_prefix): state[key]
                           for name, key in short.items() if name.startswith(image_prefix)})
    result = Conversion(missing=[f'image_backbone.{key}' for key in image.missing],
                        misshapen=[image_prefix + line for line in image.misshapen])
    result.state_dict = {f'image_backbone.{k}': v for k, v in image.state_dict.items()}
    taken = {image_prefix + key for key in image.used}
    for name, key in short.items():
        inside = name.removeprefix(text_prefix)
        if name.startswith(text_prefix) and _BERT.fullmatch(inside):
            taken.add(name)
            if not inside.endswith('_ids'):  # constants that transformers 5 dropped
                result.state_dict[f'text_backbone.bert.{inside}'] = state[key]
    result.used = [key for name, key in short.items() if name in taken]
    result.unexpected = [key for name, key in short.items() if name not in taken]
    for prefix, reason in {  # of the image tower all else has been looked at
            image_prefix: CLASSIFIER,
            'classifier.': 'classifier of the people of the training set, not used',
            text_prefix + 'cls.': 'language head of BERT, not used'}.items():
        result.leave_out([key for name, key in short.items()
                          if name not in taken and name.startswith(prefix)], reason)
    refuse_leftovers(result.unexpected)
    return result


def _prefix_before(names: dict[str, str], tower: str, landmark: str) -> str:
    for name in names:
        if name.startswith(tower + '.') and name.endswith(landmark):
            return name.removesuffix(landmark)
    raise ValueError(f'this is not a CTLG checkpoint: no {tower}.*.{landmark}')
