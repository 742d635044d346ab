"""OpenAI's CLIP."""

from dataclasses import replace

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .source import Source

__all__ = ['convert_openai_clip', 'refuse_resnet']


def convert_openai_clip(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a ViT of OpenAI CLIP: its TorchScript archive, or a plain state dict of it.

    Learning Transferable Visual Models From Natural Language Supervision,
    https://arxiv.org/abs/2103.00020. The code in the archive is not run.

    Raises:
        BadValue: it is a ResNet, or no CLIP.
    """
    refuse_resnet(source.state)
    options = replace(options, activation=options.activation or 'quick_gelu')
    return convert_clip(source.state, options)


def refuse_resnet(state: dict) -> None:
    """Refuse CLIP with a ResNet for images.

    Raises:
        BadValue: it is one.
    """
    if any(key.startswith('visual.layer1.') for key in state):
        raise BadValue('its image tower is a ResNet; only those with a Vision Transformer convert')
