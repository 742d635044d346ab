"""Plan of the export of a pretrained dual encoder: its towers, and the steps before them.

The image graph takes RGB pixels of the size of the input, as the graphs of our own models do;
before it a crop is padded, or not, and resized by Pillow. The text graph takes ids and mask.
"""

from typing import TYPE_CHECKING, Any

from PIL import Image

from mmtbps.errors import BadValue

from .export_plan import ExportPlan
from .open_clip_export import plan_open_clip
from .pretrained_towers import NaFlexImageTower, PretrainedImageTower, PretrainedTextTower

if TYPE_CHECKING:
    from mmtbps.models.dual_encoders.hugging_face import HuggingFaceDualEncoder

    from .pretrained_encoder import PretrainedEncoder

__all__ = ['PERSON', 'plan_pretrained']

#: (height, width) of a person, in proportion: the one shape that a graph of NaFlex is made for.
PERSON = 1000, 400


def plan_pretrained(encoder: 'PretrainedEncoder') -> ExportPlan:
    """Plan the export of a pretrained dual encoder.

    Args:
        encoder: Of transformers or open_clip, on any device.

    Raises:
        BadValue: It is of neither, or its preprocessing cannot be repeated without its library.
    """
    from mmtbps.models.dual_encoders.hugging_face import HuggingFaceDualEncoder
    from mmtbps.models.dual_encoders.open_clip import OpenClipDualEncoder
    network = getattr(encoder, 'network', None)
    if isinstance(network, OpenClipDualEncoder):
        return plan_open_clip(network)
    if isinstance(network, HuggingFaceDualEncoder):
        return _plan_hugging_face(network)
    raise BadValue(f'{encoder!r} cannot be exported: a model of ours, of transformers or of '
                   'open_clip can')


def _plan_hugging_face(network: 'HuggingFaceDualEncoder') -> ExportPlan:
    tokenizer, settings, padding = network.tokenizer, network.settings, network.family.padding
    if not tokenizer.is_fast or tokenizer.padding_side != 'right':
        raise BadValue(f'{network.name} cannot be exported: its tokenizer pads on the left, or is '
                       'written in Python')
    text = dict(max_length=network.max_tokens, pad_token_id=tokenizer.pad_token_id,
                min_length=network.max_tokens if padding == 'max_length' else 0,
                prompts=list(network.prompts), literal_special_tokens=True)
    masked = 'attention_mask' in tokenizer.model_input_names
    text_tower = PretrainedTextTower(
        network, ('input_ids', 'attention_mask')[:1 + masked], tokenizer.pad_token_id)
    if network.image_size is None:
        rows, columns = _person_grid(network)
        side, shape = settings['patch_size'], PERSON
        image = dict(size=[rows * side, columns * side], channels='rgb',
                     resize=_filter(settings), grid=[rows, columns])
        image_tower = NaFlexImageTower(network, (rows, columns), side)
    else:
        image, shape = _plan_image(network.name, network.aspect, network.image_size, settings), None
        if network.aspect == 'letterbox':
            image['letterbox'] = [round(255 * part) for part in network.mean]
        cut = network.image_size if tuple(image['size']) != network.image_size else None
        image_tower = PretrainedImageTower(network, cut)
    score = dict(scale=network.scale, bias=network.bias) if network.probability else None
    return ExportPlan(image, text, score, tokenizer.backend_tokenizer.to_str(),
                      dict(image=image_tower, text=text_tower), shape)


def _person_grid(network: 'HuggingFaceDualEncoder') -> tuple[int, int]:
    """Return the (rows, columns) of patches that a model's own processor makes of a person."""
    found = network.process_images([Image.new('RGB', PERSON[::-1])])['spatial_shapes']
    rows, columns = found[0].tolist()
    return rows, columns


def _plan_image(name: str, aspect: str, size: tuple[int, int],
                settings: dict[str, Any]) -> dict[str, Any]:
    """Plan the way from a crop to pixels, if a resize of Pillow and a cut are all of it."""
    first = settings.get('size', {})
    square = 'height' not in first and size[0] == size[1]
    side = first.get('shortest_edge', 0)
    whole = (side, side) if square else (first.get('height', 0), first.get('width', 0))
    same_shape = whole[0] * size[1] == whole[1] * size[0]
    if whole != size and (not settings.get('do_center_crop') or min(
            outer - inner for outer, inner in zip(whole, size, strict=True)) < 0):
        raise BadValue(f'{name} cannot be exported: its processor resizes to {first}, and its '
                       f'tower reads {size}')
    if (aspect == 'processor' and square) or (aspect == 'letterbox' and not same_shape):
        raise BadValue(f'{name} with aspect {aspect} cannot be exported: its processor cuts '
                       'pictures by their shape')
    if aspect == 'stretch' and whole != size:
        raise BadValue(f'{name} with aspect stretch cannot be exported: its processor resizes a '
                       'second time')
    resize = 'bicubic' if aspect == 'stretch' else _filter(settings)
    return dict(size=list(whole), channels='rgb', resize=resize)


def _filter(settings: dict[str, Any]) -> str:
    """Return the name of the filter that a processor resizes with."""
    return Image.Resampling(settings.get('resample', Image.Resampling.BICUBIC)).name.lower()
