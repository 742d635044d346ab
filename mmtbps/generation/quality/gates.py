"""Gates of captions, masks and outlines, and all the others that need no evidence, by their names.

A gate looks at the request and the result and measures one number. Thresholds are calibrated on
drawn people, whose perfect edits are known; `.negative_controls` proves on every run that the
gates still refuse what they must.
"""

from collections import Counter

import numpy as np
from PIL import Image, ImageFilter

from mmtbps.lexicon import find_color_mentions, split_words
from mmtbps.registry import TASK_UTILS

from ..color.change import color_change
from ..color.colorspace import rgb_to_lab
from ..color.votes import BANDS, color_votes, region_mask
from ..editing.base import EditRequest, EditResult
from ..editing.edit_kinds import find_kind, kinds_that
from .base import BaseGate, GateVerdict, run_gates
from .color_gates import EditStrengthGate, KeepColorsGate, LocalityGate, SanityGate
from .scored_gates import RankingGate

__all__ = ['BANDS', 'BaseGate', 'CaptionGate', 'ChangeGate', 'EditStrengthGate', 'GateVerdict',
           'KeepColorsGate', 'LocalityGate', 'MaskGate', 'RankingGate', 'SanityGate', 'SeamGate',
           'color_votes', 'region_mask', 'run_gates']

_SEAM_HEIGHT = 128             # rows at which seams are looked for
_SMOOTH = ImageFilter.BoxBlur(1)


@TASK_UTILS.register_module()
class SeamGate(BaseGate):
    """Gate on the share of seams: the whole garment changed, and nothing that runs on from it.

    What changed should end where the source has an edge. A seam is a piece of its outline where
    source colours run on: half a garment was dyed, or a neighbour of the same colour too. Where
    the change is cut by the border of the image counts as a seam. Images are compared at one
    height, smoothed over 3 x 3 pixels; NaN if nothing changed.

    Args:
        high: Largest share of the outline that passes.
        tolerance: Lab distance that counts as another colour.
        edge: Lab distance across the outline that counts as an edge of the source.
    """

    name = 'seam'
    kinds = frozenset({'color'})  # the outline of another garment is another

    def __init__(self, high: float = .08, tolerance: float = 18., edge: float = 5.) -> None:
        super().__init__(high=high)
        self.tolerance, self.edge = tolerance, edge

    def measure(self, request: EditRequest, result: EditResult) -> float:
        width, height = request.image.size
        size = max(4, round(width * _SEAM_HEIGHT / height)), _SEAM_HEIGHT
        before, after = (rgb_to_lab(np.asarray(
            image.convert('RGB').resize(size, Image.Resampling.BILINEAR).filter(_SMOOTH)))
            for image in (request.image, result.image))
        changed = np.linalg.norm(after - before, axis=-1) > self.tolerance
        gaps = np.concatenate([_outline_gaps(changed, before),
                               _outline_gaps(changed.T, before.swapaxes(0, 1))])
        return (gaps < self.edge).mean() if len(gaps) else float('nan')


@TASK_UTILS.register_module()
class MaskGate(BaseGate):
    """Gate on the mask: its share of the image, or -1 if it lies in another region.

    The region is the height at which a person seen from head to foot wears the garment; where
    evidence knows the garment, its own height.
    """

    name = 'mask'
    kinds = kinds_that(on_garment=True)

    def __init__(self, low: float = .02, high: float = .5) -> None:
        super().__init__(low, high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        if result.mask is None:
            return float('nan')
        if not result.mask.any():
            return 0.
        top, bottom = _height(request)
        center = (np.nonzero(result.mask)[0].mean() + .5) / len(result.mask)
        return result.mask.mean() if top < center < bottom else -1.


@TASK_UTILS.register_module()
class CaptionGate(BaseGate):
    """Gate on the new captions: number of those that do not say what was asked.

    A caption of an edit of colour is right if it differs from its source in colour words and
    articles only, and the driving one names the new colour, alone, in the place of the old one.
    After another change of the clothes no garment may have another colour than before, and the
    driving caption must differ. Where nothing that is worn changes, captions stay as they are.
    """

    name = 'caption'

    def __init__(self, high: float = 0) -> None:
        super().__init__(high=high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        pairs = list(zip(request.source_captions, request.target_captions, strict=True))
        if request.kind != 'color':
            changes = find_kind(request.kind).changes_person
            free = request.region if request.kind == 'accessory' else None
            wrong = [_recolors(*pair, free) if changes else pair[0] != pair[1] for pair in pairs]
            wrong[request.caption_index] |= changes and len(set(pairs[request.caption_index])) == 1
            return sum(wrong)
        wrong = [_without_colors(source) != _without_colors(target) for source, target in pairs]
        start, end = request.target_span
        named = any(mention.bases == (request.new_color,) for mention
                    in find_color_mentions(request.target_caption)
                    if mention.color[0] < end and start < mention.color[1])
        wrong[request.caption_index] |= not named
        return sum(wrong)


@TASK_UTILS.register_module()
class ChangeGate(BaseGate):
    """Gate on the share of all pixels that took another colour: an editor that did nothing fails.

    Needed for edits that are not of colour, whose other gates may find the source itself right.

    Args:
        low: Smallest share that passes. A pair of glasses is a few thousandths of a picture, a
            background more than half.
        tolerance: Lab distance that counts as another colour.
    """

    name = 'change'

    def __init__(self, low: float = .005, tolerance: float = 18.) -> None:
        super().__init__(low=low)
        self.tolerance = tolerance

    def measure(self, request: EditRequest, result: EditResult) -> float:
        return (color_change(request.image, result.image) > self.tolerance).mean()


def _height(request: EditRequest) -> tuple[float, float]:
    """Return top and bottom of the garment, shares of the height: seen, or where it is worn."""
    garment = None if request.evidence is None else request.evidence.garment(request.region)
    if garment is None or not garment.any():
        return request.band
    rows = np.nonzero(garment.any(1))[0]
    return rows[0] / len(garment), (rows[-1] + 1) / len(garment)


def _outline_gaps(changed: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Measure the difference of the source across each step of the outline between two rows."""
    crossed = changed[1:-2] != changed[2:-1]
    gaps = np.linalg.norm(source[:-3] - source[3:], axis=-1)[crossed]
    at_border = sum(changed[rows].any(0).sum() for rows in (slice(2), slice(-2, None)))
    return np.concatenate([gaps, np.zeros(at_border)])


def _recolors(source: str, target: str, free: str | None) -> bool:
    """Tell whether anything but what is worn in region ``free`` has a colour that it had not."""
    before, after = (Counter((mention.region, mention.bases)
                             for mention in find_color_mentions(caption)
                             if mention.bases and mention.region != free)
                     for caption in (source, target))
    return bool(after - before)


def _without_colors(caption: str) -> list[str]:
    """List the words of a caption without the colours of its phrases, ``an`` made ``a``."""
    for mention in reversed(find_color_mentions(caption)):
        start, end = mention.color
        caption = f'{caption[:start]}*{caption[end:]}'
    return ['a' if word.key == 'an' else word.key for word in split_words(caption)]
