"""Plan of the export of a pretrained dual encoder: its towers, and the steps before them.

The image graph takes RGB pixels of the size of the input, as the graphs of our own models do;
before it a crop is padded, or not, and resized by Pillow. The text graph takes ids and mask.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from mmtbps.errors import BadValue

if TYPE_CHECKING:
    from .pretrained_encoder import PretrainedEncoder

__all__ = ['ExportPlan', 'PretrainedImageTower', 'PretrainedTextTower', 'plan_pretrained']


class ExportPlan(NamedTuple):
    """Parts of an export.

    Args:
        image: Of the manifest: size, filter, and colour of the margins.
        text: Of the manifest: lengths, padding and prompts.
        score: Of the manifest: scale and bias, where the score is a probability.
        tokenizer: As JSON.
        towers: Modules by name, ``image`` and ``text``.
    """

    image: dict[str, Any]
    text: dict[str, Any]
    score: dict[str, float] | None
    tokenizer: str
    towers: dict[str, nn.Module]


class PretrainedImageTower(nn.Module):
    """Image tower with its normalisation: pixels ``(N, H, W, 3)`` to unit features ``(N, D)``.

    Args:
        network: A dual encoder of transformers.
        settings: Of its image processor.
    """

    def __init__(self, network: nn.Module, settings: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        factor = settings.get('rescale_factor', 1 / 255) if settings.get('do_rescale', True) else 1
        normal = settings.get('do_normalize', True) and 'image_mean' in settings
        mean, std = (settings[key] if normal else [bare] * 3 for key, bare in (
            ('image_mean', 0.), ('image_std', 1.)))
        shape = dict(dtype=torch.float32, device=network.device)
        self.register_buffer('factor', torch.tensor(factor, **shape))
        self.register_buffer('mean', torch.tensor(mean, **shape).view(3, 1, 1))
        self.register_buffer('std', torch.tensor(std, **shape).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Encode RGB pixels, uint8."""
        pixels = images.permute(0, 3, 1, 2).float() * self.factor
        features = self.network.image_features(pixel_values=(pixels - self.mean) / self.std)
        return F.normalize(features.float(), dim=-1)


class PretrainedTextTower(nn.Module):
    """Text tower: ids and mask ``(N, L)`` to unit features ``(N, D)`` of single prompts.

    Args:
        network: A dual encoder of transformers.
        masked: Whether its own tokenizer gives the tower a mask.
    """

    def __init__(self, network: nn.Module, masked: bool) -> None:
        super().__init__()
        self.network, self.masked = network, masked

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode token ids, int64, with their bool mask."""
        # Changes nothing, and keeps the mask an input of every graph.
        ids = torch.where(attention_mask, input_ids, self.network.tokenizer.pad_token_id)
        mask = dict(attention_mask=attention_mask.long()) if self.masked else {}
        return F.normalize(self.network.text_features(input_ids=ids, **mask).float(), dim=-1)


def plan_pretrained(encoder: 'PretrainedEncoder') -> ExportPlan:
    """Plan the export of a pretrained dual encoder of transformers.

    Args:
        encoder: On any device.

    Raises:
        BadValue: It is none of transformers, or its preprocessing cannot be repeated without them.
    """
    from mmtbps.models.dual_encoders.hugging_face import HuggingFaceDualEncoder
    network = getattr(encoder, 'network', None)
    if not isinstance(network, HuggingFaceDualEncoder):
        raise BadValue(f'{encoder!r} cannot be exported: a model of ours or of transformers can')
    tokenizer, settings, padding = network.tokenizer, network.settings, network.family.padding
    image = _plan_image(network.name, network.aspect, network.image_size, settings)
    if network.aspect == 'letterbox':
        image['letterbox'] = [round(255 * part) for part in network.mean]
    if not tokenizer.is_fast or tokenizer.padding_side != 'right':
        raise BadValue(f'{network.name} cannot be exported: its tokenizer pads on the left, or is '
                       'written in Python')
    text = dict(max_length=network.max_tokens, pad_token_id=tokenizer.pad_token_id,
                min_length=network.max_tokens if padding == 'max_length' else 0,
                prompts=list(network.prompts), literal_special_tokens=True)
    score = dict(scale=network.scale, bias=network.bias) if network.probability else None
    masked = 'attention_mask' in tokenizer.model_input_names
    return ExportPlan(image, text, score, tokenizer.backend_tokenizer.to_str(), dict(
        image=PretrainedImageTower(network, settings), text=PretrainedTextTower(network, masked)))


def _plan_image(name: str, aspect: str, size: tuple[int, int] | None,
                settings: dict[str, Any]) -> dict[str, Any]:
    """Plan the way from a crop to pixels, if a resize of Pillow is all of it."""
    cannot = f'{name} with aspect {aspect} cannot be exported: '
    if size is None:
        raise BadValue(cannot + 'it takes pictures of every shape, and a graph takes one')
    if settings.get('rescale_offset'):
        raise BadValue(cannot + 'its processor shifts the pixels')
    first = settings.get('size', {})
    whole = first in (dict(height=size[0], width=size[1]), dict(shortest_edge=min(size)))
    if not whole or (aspect == 'processor' and 'shortest_edge' in first):
        raise BadValue(cannot + 'its processor cuts pictures')
    resample = Image.Resampling.BICUBIC if aspect == 'stretch' else Image.Resampling(
        settings.get('resample', Image.Resampling.BICUBIC))
    return dict(size=list(size), channels='rgb', resize=resample.name.lower())
