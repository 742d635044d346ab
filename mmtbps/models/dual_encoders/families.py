"""Families of dual encoders in transformers whose features are proved by tests, value by value."""

from dataclasses import dataclass
from typing import Any

__all__ = ['FAMILIES', 'Family', 'input_size', 'longest_text', 'mean_color']


@dataclass(frozen=True)
class Family:
    """Facts of a family that its files do not tell.

    Args:
        model: class of transformers.
        since: version of transformers that brought it.
        padding: of texts, as the model was trained: ``'longest'`` or ``'max_length'``.
        tokens: longest text the model was trained for, where its position table is longer.
        reserved: rows of the position table that no token ever has.
        probability: whether its score is a probability, by a sigmoid.
        own_shape: whether the image tower takes every picture in its own shape.
        eager: whether the attention must be the plain one: by the fused one the text tower forgets
            its causal mask in a batch without padding, so that a feature depends on its neighbours.
        pillow: class that does with Pillow what the family's only processor does with torchvision.
    """

    model: str
    since: str
    padding: str = 'longest'
    tokens: int | None = None
    reserved: int = 0
    probability: bool = False
    own_shape: bool = False
    eager: bool = False
    pillow: str | None = None


#: By the ``model_type`` of a ``config.json``. SigLIP 2 of a fixed shape says ``siglip``.
FAMILIES = dict(
    aimv2=Family('Aimv2Model', '4.54', eager=True),
    align=Family('AlignModel', '4.27', 'max_length', tokens=64),
    altclip=Family('AltCLIPModel', '4.26', tokens=77, reserved=2),
    blip=Family('BlipForImageTextRetrieval', '4.26'),
    chinese_clip=Family('ChineseCLIPModel', '4.25', tokens=52),
    clip=Family('CLIPModel', '4.5'),
    metaclip_2=Family('MetaClip2Model', '4.56'),
    siglip=Family('SiglipModel', '4.37', 'max_length', tokens=64, probability=True),
    siglip2=Family('Siglip2Model', '4.49', 'max_length', tokens=64, probability=True,
                   own_shape=True),
    tipsv2=Family('Tipsv2Model', '5.24', 'max_length', tokens=64, pillow='SiglipImageProcessorPil'),
)


def longest_text(family: Family, positions: int, tokenizer_limit: int) -> int:
    """Return the number of tokens that a model reads, special ones included.

    Example:
        >>> longest_text(FAMILIES['altclip'], 514, 512)
        77
        >>> longest_text(FAMILIES['clip'], 77, int(1e30))
        77
    """
    return min(positions - family.reserved, tokenizer_limit, family.tokens or positions)


def input_size(settings: dict[str, Any], vision_size: Any) -> tuple[int, int]:
    """Return (height, width) of the pixels that a processor hands to the image tower.

    Args:
        settings: of the image processor.
        vision_size: ``image_size`` of the image tower, for a processor that does not tell.

    Example:
        >>> input_size(dict(do_center_crop=True, size=dict(shortest_edge=224),
        ...                 crop_size=dict(height=224, width=224)), None)
        (224, 224)
        >>> input_size(dict(size=dict(height=384, width=128)), None)
        (384, 128)
    """
    chosen = settings.get('crop_size' if settings.get('do_center_crop') else 'size') or {}
    chosen = chosen if isinstance(chosen, int) or 'height' in chosen else vision_size
    if isinstance(chosen, dict):
        return int(chosen['height']), int(chosen['width'])
    height, width = chosen if isinstance(chosen, (list, tuple)) else (chosen, chosen)
    return int(height), int(width)


def mean_color(settings: dict[str, Any]) -> tuple[float, ...]:
    """Return the model's mean color, three numbers of 0-1; gray where it subtracts none.

    Example:
        >>> mean_color(dict(do_normalize=False))
        (0.5, 0.5, 0.5)
    """
    mean = settings.get('image_mean') if settings.get('do_normalize', True) else None
    return tuple(map(float, mean)) if mean is not None else (.5, .5, .5)
