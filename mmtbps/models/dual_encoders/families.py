"""Families of dual encoders in transformers whose features are proved by tests, value by value."""

from dataclasses import dataclass

__all__ = ['FAMILIES', 'Family', 'longest_text']


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
        any_size: whether the image tower has no positions, so that it takes any square.
        vocabulary_alone: whether its tokenizer is published without a ``tokenizer_config.json``.
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
    any_size: bool = False
    vocabulary_alone: bool = False
    eager: bool = False
    pillow: str | None = None


#: By the ``model_type`` of a ``config.json``. SigLIP 2 of a fixed shape says ``siglip``.
FAMILIES = dict(
    aimv2=Family('Aimv2Model', '4.54', eager=True),
    align=Family('AlignModel', '4.27', 'max_length', tokens=64, any_size=True),
    altclip=Family('AltCLIPModel', '4.26', tokens=77, reserved=2),
    blip=Family('BlipForImageTextRetrieval', '4.26'),
    chinese_clip=Family('ChineseCLIPModel', '4.25', tokens=52, vocabulary_alone=True),
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
