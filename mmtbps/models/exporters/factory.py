"""Factory of models in the layout of transformers, by the towers of ours."""

from collections.abc import Mapping

from torch import Tensor, nn

from mmtbps.models.backbones import CLIPVisionTower, SigLIPVisionTower
from mmtbps.models.peft import kept_parts

from .base import LibraryModel, refuse
from .clip import clip_to_transformers
from .siglip import siglip_to_transformers

__all__ = ['describe_for_transformers']

_KINDS = {CLIPVisionTower: clip_to_transformers, SigLIPVisionTower: siglip_to_transformers}


def describe_for_transformers(model: nn.Module, state: Mapping[str, Tensor],
                              end_token_id: int) -> LibraryModel:
    """Describe a model of ours as one of transformers that gives the same features.

    Args:
        model: a `TextImageRetriever`.
        state: its weights, for inference, on any device.
        end_token_id: of its tokenizer.

    Raises:
        BadValue: transformers has no class for it; the message says why.
    """
    tower = getattr(model, 'image_backbone', None)
    if type(tower) not in _KINDS:
        raise refuse(f'its image tower is a {type(tower).__name__}, none of CLIP or SigLIP')
    if parts := kept_parts(model):
        raise refuse(f'it has {" and ".join(parts)}, which CLIP and SigLIP have no place for; '
                     'a model folder and ONNX hold them')
    state = {key: value.detach().float().cpu() for key, value in state.items()}
    return _KINDS[type(tower)](model, state, end_token_id)
