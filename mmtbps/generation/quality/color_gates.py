"""Gates on colours: the new one rose where the editor says, and the others stayed."""

import numpy as np

from mmtbps.lexicon import find_color_mentions
from mmtbps.registry import TASK_UTILS

from ..color.change import color_change, grow
from ..color.colorspace import palette, rgb_to_lab
from ..color.votes import color_votes, region_mask, shaded_palette
from ..editing.base import EditRequest, EditResult
from ..editing.edit_kinds import find_kind, kinds_that
from .base import BaseGate

__all__ = ['EditStrengthGate', 'KeepColorsGate', 'LocalityGate', 'SanityGate']

_BLANK = 4.                    # standard deviation of an image that shows nothing
_OF_COLOR = 10.                # Lab distance to a shade within which a pixel is of that colour


@TASK_UTILS.register_module()
class EditStrengthGate(BaseGate):
    """Gate on the strength of the edit: the new colour's vote rose more than any other.

    The value is the rise of the new colour's vote in the mask less the largest rise of another
    colour; 0 for an image that was not edited, negative for one edited to another colour.
    """

    name = 'edit_strength'
    kinds = frozenset({'color'})

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
    kinds = kinds_that(on_garment=True)

    def __init__(self, high: float = .05, tolerance: float = 18.) -> None:
        super().__init__(high=high)
        self.tolerance = tolerance

    def measure(self, request: EditRequest, result: EditResult) -> float:
        outside = ~grow(_pixels(request, result)[2], 1)
        changed = color_change(request.image, result.image) > self.tolerance
        return changed[outside].mean() if outside.any() else float('nan')


@TASK_UTILS.register_module()
class KeepColorsGate(BaseGate):
    """Gate on the other colours of the caption: largest change of a vote outside the mask."""

    name = 'keep_colors'
    kinds = kinds_that(on_garment=True)

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
    is asked to be black may be nearly so. Pure black, white and primaries are nobody's cloth. They
    may be snow or a pattern: of other edits than those of colour only a blank image is refused.
    """

    name = 'sanity'

    def __init__(self, high: float = .2) -> None:
        super().__init__(high=high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        before, after, mask = _pixels(request, result)
        if after.std() < _BLANK < before.std() or not mask.any():
            return 1.
        if request.kind != 'color':
            return 0.
        return max(0., _burnt(after[mask], request.new_color).mean()
                   - _burnt(before[mask], request.old_color).mean())


def _pixels(request: EditRequest, result: EditResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return source and result, (H, W, 3) uint8, and the mask of the edit, (H, W) bool."""
    before = np.asarray(request.image.convert('RGB'))
    after = np.asarray(result.image.convert('RGB'))
    mask = result.mask
    if mask is None:
        mask = (region_mask(before.shape[:2], request.region)
                if find_kind(request.kind).on_garment else np.ones(before.shape[:2], bool))
    return before, after, mask


def _burnt(pixels: np.ndarray, color: str) -> np.ndarray:
    """Mark pixels (N, 3) clipped though they are not of the colour, or in all channels."""
    ends = (pixels == 0) | (pixels == 255)
    burnt = ends.all(-1)
    some = ends.any(-1) & ~burnt
    shades = shaded_palette()[palette()[0].index(color)]
    off = np.square(rgb_to_lab(pixels[some])[:, None] - shades).sum(-1).min(-1)
    burnt[some] = off > _OF_COLOR ** 2
    return burnt
