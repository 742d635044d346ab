"""Gates of pixels and captions: an edit is the one asked for, and no more, by the editor's mask.

A gate looks at the request and the result and measures one number. Thresholds are calibrated on
drawn people, whose perfect edits are known; `.negative_controls` proves on every run that the
gates still refuse what they must.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from mmtbps.lexicon import find_color_mentions, split_words
from mmtbps.registry import TASK_UTILS

from ..color.colorspace import palette, rgb_to_lab
from ..color.votes import BANDS, color_votes, region_mask, shaded_palette
from ..editing.base import EditRequest, EditResult
from .base import BaseGate, GateVerdict, run_gates
from .changed_pixels import color_change, grow

__all__ = ['BANDS', 'BaseGate', 'CaptionGate', 'EditStrengthGate', 'GateVerdict',
           'KeepColorsGate', 'LocalityGate', 'MaskGate', 'RankingGate', 'SanityGate', 'SeamGate',
           'color_votes', 'region_mask', 'run_gates']

_BLANK = 4.                    # standard deviation of an image that shows nothing
_SEAM_HEIGHT = 128             # rows at which seams are looked for
_OF_COLOR = 10.                # Lab distance to a shade within which a pixel is of that colour
_SMOOTH = ImageFilter.BoxBlur(1)


@TASK_UTILS.register_module()
class EditStrengthGate(BaseGate):
    """Gate on the strength of the edit: the new colour's vote rose more than any other.

    The value is the rise of the new colour's vote in the mask less the largest rise of another
    colour; 0 for an image that was not edited, negative for one edited to another colour.
    """

    name = 'edit_strength'

    def __init__(self, low: float = .15) -> None:
        super().__init__(low=low)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        before, after, mask = _pixels(request, result)
        rise = color_votes(after[mask]) - color_votes(before[mask])
        new = palette()[0].index(request.new_color)
        return rise[new] - np.delete(rise, new).max()


@TASK_UTILS.register_module()
class LocalityGate(BaseGate):
    """Gate on the share of the pixels outside the mask that took another colour.

    Both images are smoothed over 3 x 3 pixels and compared in CIE Lab, so noise and the blur of an
    autoencoder count for nothing, but a second garment or a new background does.

    Args:
        high: Largest share that passes.
        tolerance: Lab distance that counts as another colour.
    """

    name = 'locality'

    def __init__(self, high: float = .05, tolerance: float = 18.) -> None:
        super().__init__(high=high)
        self.tolerance = tolerance

    def measure(self, request: EditRequest, result: EditResult) -> float:
        outside = ~grow(_pixels(request, result)[2], 1)
        changed = color_change(request.image, result.image) > self.tolerance
        return changed[outside].mean() if outside.any() else float('nan')


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
class KeepColorsGate(BaseGate):
    """Gate on the other colours of the caption: largest change of a vote outside the mask."""

    name = 'keep_colors'

    def __init__(self, high: float = .08) -> None:
        super().__init__(high=high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        before, after, mask = _pixels(request, result)
        names = palette()[0]
        others = {base for mention in find_color_mentions(request.target_caption)
                  for base in mention.bases} - {request.new_color}
        change = np.abs(color_votes(after[~mask]) - color_votes(before[~mask]))
        return max((change[names.index(name)] for name in others), default=0.)


@TASK_UTILS.register_module()
class SanityGate(BaseGate):
    """Gate on broken images: share of the mask that burnt out; 1 if the image is blank.

    A pixel burnt out if a channel is at its end and the asked colour does not explain that: what
    is asked to be black may be nearly so. Pure black, white and primaries are nobody's cloth.
    """

    name = 'sanity'

    def __init__(self, high: float = .2) -> None:
        super().__init__(high=high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        before, after, mask = _pixels(request, result)
        if after.std() < _BLANK < before.std() or not mask.any():
            return 1.
        return max(0., _burnt(after[mask], request.new_color).mean()
                   - _burnt(before[mask], request.old_color).mean())


@TASK_UTILS.register_module()
class MaskGate(BaseGate):
    """Gate on the mask: its share of the image, or -1 if it lies in another region."""

    name = 'mask'

    def __init__(self, low: float = .02, high: float = .5) -> None:
        super().__init__(low, high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        if result.mask is None:
            return float('nan')
        if not result.mask.any():
            return 0.
        top, bottom = request.band
        center = (np.nonzero(result.mask)[0].mean() + .5) / len(result.mask)
        return result.mask.mean() if top < center < bottom else -1.


@TASK_UTILS.register_module()
class CaptionGate(BaseGate):
    """Gate on the new captions: number of those that do not say what was asked.

    A caption is right if it differs from its source in colour words and articles only, and the
    driving one names the new colour, alone, in the place of the old one.
    """

    name = 'caption'

    def __init__(self, high: float = 0) -> None:
        super().__init__(high=high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        wrong = [_without_colors(source) != _without_colors(target) for source, target
                 in zip(request.source_captions, request.target_captions, strict=True)]
        start, end = request.target_span
        named = any(mention.bases == (request.new_color,) for mention
                    in find_color_mentions(request.target_caption)
                    if mention.color[0] < end and start < mention.color[1])
        wrong[request.caption_index] |= not named
        return sum(wrong)


@TASK_UTILS.register_module()
class RankingGate(BaseGate):
    """Gate on a scorer: the result fits the new caption better, the source the old one.

    The value is the smaller of the two margins.

    Args:
        scorer: ``scorer(images, captions) -> (len(images), len(captions))`` similarities, or a
            config of one in ``TASK_UTILS``.
        low: Least margin, in the units of the scorer.
    """

    name = 'ranking'

    def __init__(self, scorer: Callable[[list[Image.Image], list[str]], Any] | dict,
                 low: float = 0.) -> None:
        super().__init__(low=low)
        self.scorer = TASK_UTILS.build(scorer) if isinstance(scorer, dict) else scorer

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the verdict, for the manifest's digest."""
        name = getattr(self.scorer, '__qualname__', type(self.scorer).__qualname__)
        return dict(type=type(self).__name__, low=self.low,
                    scorer=getattr(self.scorer, 'digest_fields', name))

    def measure(self, request: EditRequest, result: EditResult) -> float:
        scores = np.asarray(self.scorer([request.image, result.image],
                                        [request.source_caption, request.target_caption]), float)
        if scores.shape != (2, 2):
            raise ValueError(f'the scorer gave {scores.shape} scores for 2 images and 2 captions')
        return min(scores[0, 0] - scores[0, 1], scores[1, 1] - scores[1, 0])


def _pixels(request: EditRequest, result: EditResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return source and result, (H, W, 3) uint8, and the mask of the edit, (H, W) bool."""
    before = np.asarray(request.image.convert('RGB'))
    after = np.asarray(result.image.convert('RGB'))
    mask = result.mask
    return before, after, region_mask(before.shape[:2], request.region) if mask is None else mask


def _outline_gaps(changed: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Measure the difference of the source across each step of the outline between two rows."""
    crossed = changed[1:-2] != changed[2:-1]
    gaps = np.linalg.norm(source[:-3] - source[3:], axis=-1)[crossed]
    at_border = sum(changed[rows].any(0).sum() for rows in (slice(2), slice(-2, None)))
    return np.concatenate([gaps, np.zeros(at_border)])


def _burnt(pixels: np.ndarray, color: str) -> np.ndarray:
    """Mark pixels (N, 3) clipped though they are not of the colour, or in all channels."""
    ends = (pixels == 0) | (pixels == 255)
    burnt = ends.all(-1)
    some = ends.any(-1) & ~burnt
    shades = shaded_palette()[palette()[0].index(color)]
    off = np.square(rgb_to_lab(pixels[some])[:, None] - shades).sum(-1).min(-1)
    burnt[some] = off > _OF_COLOR ** 2
    return burnt


def _without_colors(caption: str) -> list[str]:
    """List the words of a caption without the colours of its phrases, ``an`` made ``a``."""
    for mention in reversed(find_color_mentions(caption)):
        start, end = mention.color
        caption = f'{caption[:start]}*{caption[end:]}'
    return ['a' if word.key == 'an' else word.key for word in split_words(caption)]
