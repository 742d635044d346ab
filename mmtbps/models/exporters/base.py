"""A model in the layout of transformers, and the parts of ours that it can have."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mmtbps.errors import BadValue
from mmtbps.models.necks import ProjectionNeck

__all__ = ['LibraryModel', 'check_neck', 'refuse']


@dataclass(frozen=True)
class LibraryModel:
    """A model in the layout of transformers.

    Args:
        config: content of its ``config.json``.
        state_dict: weights by its names.
        image_processor: class of its image processor.
        processor: class of its processor.
        padding: of its texts, ``'longest'`` or ``'max_length'``.
        resized_positions: whether its position table is a square from which that of its pictures
            is made in every run: ``get_image_features`` needs ``interpolate_pos_encoding=True``.
    """

    config: dict[str, Any]
    state_dict: dict[str, Tensor]
    image_processor: str
    processor: str
    padding: str
    resized_positions: bool


def refuse(reason: str) -> BadValue:
    """Return the error of a model that transformers has no class for.

    Example:
        >>> refuse('its patches overlap').args[0]
        'transformers has no class for this model: its patches overlap'
    """
    return BadValue(f'transformers has no class for this model: {reason}')


def check_neck(neck: nn.Module, side: str) -> ProjectionNeck:
    """Check that a neck is a linear layer without a bias, or none.

    Args:
        neck: of one side.
        side: ``'image'`` or ``'text'``, for the message.

    Raises:
        BadValue: it is another one.

    Example:
        >>> check_neck(ProjectionNeck(8, 4), 'image').projection
        Linear(in_features=8, out_features=4, bias=False)
    """
    if type(neck) is not ProjectionNeck:
        raise refuse(f'its {side} neck is a {type(neck).__name__}, CLIP and SigLIP have a linear '
                     'projection of the pooled token alone')
    if getattr(neck.projection, 'bias', None) is not None:
        raise refuse(f'the projection of its {side} neck has a bias')
    return neck
