"""Plan of the export of a dual encoder of open_clip: its towers, and the steps before them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmtbps.datasets.transforms import CLIP_TOKENIZER, TokenizeCaption
from mmtbps.errors import BadValue
from mmtbps.lexicon.caption_cleaning import CLEANINGS

from .export_plan import ExportPlan
from .pretrained_towers import PretrainedImageTower, PretrainedTextTower

if TYPE_CHECKING:
    from mmtbps.models.dual_encoders.open_clip import OpenClipDualEncoder

__all__ = ['find_cleaning_like', 'plan_open_clip']

#: Texts that each cleaning turns into another one.
_PROBES = 'A  RED_coat,', 'a &amp; B', ' T-shirt; (blue).'


def plan_open_clip(network: 'OpenClipDualEncoder') -> ExportPlan:
    """Plan the export of a dual encoder of open_clip.

    Args:
        network: On any device.

    Raises:
        BadValue: Its transform or its tokenizer cannot be repeated without open_clip.
    """
    image = _plan_image(network)
    text, tokenizer = _plan_text(network)
    score = dict(scale=network.scale, bias=network.bias) if network.probability else None
    return ExportPlan(image, text, score, tokenizer, dict(
        image=PretrainedImageTower(network),
        text=PretrainedTextTower(network, ('text', ), text['pad_token_id'])))


def find_cleaning_like(clean: Callable[[str], str]) -> str | None:
    """Return the name of our cleaning that does the same as a function; None if there is none.

    Example:
        >>> find_cleaning_like(lambda text: ' '.join(text.replace('&amp;', '&').split()).lower())
        'clip'
    """
    named = {name: ours for name, ours in CLEANINGS.items() if name}
    return next((name for name, ours in named.items()
                 if all(ours(text) == clean(text) for text in _PROBES)), None)


def _plan_image(network: 'OpenClipDualEncoder') -> dict[str, Any]:
    """Plan the way from a crop to pixels, if a resize of Pillow is all of it."""
    settings, aspect = network.settings, network.aspect
    if aspect == 'processor' and settings.get('resize_mode') != 'squash':
        raise BadValue(f'{network.name} with aspect processor cannot be exported: its transform '
                       'cuts pictures by their shape')
    # As open_clip reads it: all that is not bilinear is bicubic.
    own = 'bilinear' if settings.get('interpolation') == 'bilinear' else 'bicubic'
    image: dict[str, Any] = dict(size=list(network.image_size), channels='rgb',
                                 resize='bicubic' if aspect == 'stretch' else own)
    if aspect == 'letterbox':
        image['letterbox'] = [round(255 * part) for part in network.mean]
    return image


def _plan_text(network: 'OpenClipDualEncoder') -> tuple[dict[str, Any], str]:
    """Plan the way from a text to ids, and return the tokenizer as JSON."""
    outer = network.tokenizer
    inner = getattr(outer, 'tokenizer', None)  # of transformers, inside one of open_clip
    # A tokenizer without a function to clean is SigLIP's.
    clean = find_cleaning_like(getattr(outer, 'clean_fn', CLEANINGS['canonicalize']))
    fast = inner is None or getattr(inner, 'is_fast', False)
    odd = [name for name in ('reduction_fn', 'strip_sep_token', 'tokenizer_mode')
           if getattr(outer, name, None)]
    if clean is None or not fast or odd:
        reason = ', '.join(odd) or ('it cleans texts in a way of its own' if fast
                                    else 'it is written in Python')
        raise BadValue(f'{network.name} cannot be exported: its tokenizer cannot be repeated '
                       f'without open_clip ({reason})')
    text = dict(max_length=network.max_tokens, min_length=network.max_tokens, clean=clean,
                prompts=list(network.prompts))
    if inner is None:  # CLIP's, which ships with us
        return (dict(text, pad_token_id=0, literal_special_tokens=True),
                TokenizeCaption(CLIP_TOKENIZER, network.max_tokens).tokenizer_state())
    return dict(text, pad_token_id=inner.pad_token_id), inner.backend_tokenizer.to_str()
