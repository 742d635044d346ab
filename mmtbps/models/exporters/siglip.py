"""SigLIP towers as a ``SiglipModel`` of transformers."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmtbps.models.backbones import SigLIPTextTower, SigLIPVisionTower
from mmtbps.models.backbones.library_models import sizes_of

from .base import LibraryModel, check_neck, refuse
from .square_positions import square_positions

__all__ = ['siglip_to_transformers']

_HALVES = {'image_backbone.siglip.': 'vision_model.', 'text_backbone.siglip.': 'text_model.'}
_PIXELS = 'vision_model.embeddings.patch_embedding.weight'
_PLACES = 'vision_model.embeddings.position_embedding.weight'


def siglip_to_transformers(model: nn.Module, state: Mapping[str, Tensor],
                           end_token_id: int) -> LibraryModel:
    """Describe a model of SigLIP towers as a ``SiglipModel``.

    Its score is the cosine, as ours is: ``logit_scale`` and ``logit_bias`` are 0.

    Args:
        model: a `TextImageRetriever`.
        state: its weights, for inference.
        end_token_id: of its tokenizer.

    Raises:
        BadValue: it differs from SigLIP in more than sizes.
    """
    vision, text = model.image_backbone, model.text_backbone
    if type(vision) is not SigLIPVisionTower or type(text) is not SigLIPTextTower:
        raise refuse(f'its towers are {type(vision).__name__} and {type(text).__name__}')
    for side in ('image', 'text'):
        if not isinstance(check_neck(getattr(model, f'{side}_neck'), side).projection, nn.Identity):
            raise refuse(f'its {side} neck has a projection, SiglipModel has none')
    weights = {theirs + key.removeprefix(ours): value for key, value in state.items()
               for ours, theirs in _HALVES.items() if key.startswith(ours)}
    if not model.data_preprocessor.to_rgb:  # then it was trained on the loader's BGR
        weights[_PIXELS] = weights[_PIXELS].flip(1)
    weights[_PLACES] = square_positions(weights[_PLACES], vision.grid)
    weights |= dict(logit_scale=torch.zeros(1), logit_bias=torch.zeros(1))
    halves = [sizes_of(tower.siglip.config) for tower in (vision, text)]
    patch, square = vision.siglip.config.patch_size, vision.img_size[0] == vision.img_size[1]
    halves[0]['image_size'] = vision.img_size[0] if square else patch * max(vision.grid)
    halves[1]['eos_token_id'] = end_token_id
    config = dict(
        architectures=['SiglipModel'], model_type='siglip',
        vision_config=dict(halves[0], model_type='siglip_vision_model'),
        text_config=dict(halves[1], model_type='siglip_text_model'))
    return LibraryModel(config, weights, 'SiglipImageProcessor', 'SiglipProcessor', 'max_length',
                        not square)
