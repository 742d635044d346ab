"""Checks without people and without another network: is this edit what was asked, and only that?

A gate looks at the request and the result and measures one number. Thresholds are calibrated on
drawn people, whose perfect edits are known; `mmtbps.generation.controls` proves on every run that
the gates still refuse what they must.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from mmtbps.lexicon import colors, find_color_mentions, split_words
from mmtbps.registry import TASK_UTILS

from .colorspace import palette, rgb_to_lab
from .requests import EditRequest, EditResult

__all__ = ['BaseGate', 'CaptionGate', 'EditStrengthGate', 'GateVerdict', 'KeepColorsGate',
           'LocalityGate', 'MaskGate', 'RankingGate', 'SanityGate', 'color_votes', 'run_gates']

#: Where a garment may be, as shares of the height.
BANDS = {'upper': (.12, .60), 'lower': (.40, .95), 'full': (.12, .95)}
_COLUMNS = (.2, .8)            # without a mask: the middle of the band
_SHADES = (.3, .4, .5, .65, .8, 1., 1.15)   # of a colour, as factors of its linear light
_BLANK = 4.                    # standard deviation of an image that shows nothing
_SMOOTH, _GROW = ImageFilter.BoxBlur(1), ImageFilter.MaxFilter(3)
_VOTERS = 4096                 # pixels that vote at most, evenly spread


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What one gate measured.

    Args:
        name: Of the gate.
        value: What it measured; NaN if there was nothing to measure.
        ok: Whether the edit passes.
        low: Smallest value that passes, if the gate has one.
        high: Largest value that passes, if the gate has one.
    """

    name: str
    value: float
    ok: bool
    low: float | None = None
    high: float | None = None


class BaseGate(ABC):
    """A number and the bounds between which it passes; a missing number (NaN) passes.

    Args:
        low: Smallest value that passes.
        high: Largest value that passes.
    """

    name: str

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high

    @abstractmethod
    def measure(self, request: EditRequest, result: EditResult) -> float:
        """The number of this gate."""

    def __call__(self, request: EditRequest, result: EditResult) -> GateVerdict:
        """Measure and judge.

        Raises:
            ValueError: If the result belongs to another job or its image or mask has another
                size than the request's image.
        """
        _check(request, result)
        value = float(self.measure(request, result))
        ok = not (value < (-np.inf if self.low is None else self.low)
                  or value > (np.inf if self.high is None else self.high))
        return GateVerdict(self.name, value, ok, self.low, self.high)


def run_gates(gates: Iterable[Callable[[EditRequest, EditResult], GateVerdict]],
              request: EditRequest, result: EditResult) -> dict[str, GateVerdict]:
    """Verdict of every gate by its name; the edit is accepted if all are ``ok``.

    Raises:
        ValueError: If two gates have one name.
    """
    verdicts: dict[str, GateVerdict] = {}
    for gate in gates:
        verdict = gate(request, result)
        if verdict.name in verdicts:
            raise ValueError(f'two gates are called {verdict.name!r}')
        verdicts[verdict.name] = verdict
    return verdicts


@cache
def _shaded_palette() -> np.ndarray:
    """Every basic colour from deep shadow to bright light, Lab, (n, shades, 3)."""
    linear = _to_linear(np.array([colors()[name].rgb for name in palette()[0]]))
    return np.stack([rgb_to_lab(_to_srgb(linear * shade)) for shade in _SHADES], axis=1)


def _to_linear(rgb: np.ndarray) -> np.ndarray:
    value = rgb / 255
    return np.where(value <= .04045, value / 12.92, ((value + .055) / 1.055) ** 2.4)


def _to_srgb(linear: np.ndarray) -> np.ndarray:
    clipped = linear.clip(0, 1)
    return 255 * np.where(clipped <= .0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - .055)


def color_votes(pixels: np.ndarray) -> np.ndarray:
    """Share of the pixels that have each basic colour, in light or shadow.

    A pixel votes for the colour whose nearest shade is nearest to it in CIE Lab: a shirt that is
    white in the sun and gray in its own shadow is white.

    Args:
        pixels: (N, 3) sRGB in [0, 255].

    Returns:
        (n,) in the order of `palette`; sums to 1, or all zeros if there is no pixel.

    >>> votes = color_votes(np.array([[190, 30, 40], [95, 15, 20], [40, 70, 170]]))
    >>> {palette()[0][i]: round(float(votes[i]), 2) for i in np.flatnonzero(votes)}
    {'blue': 0.33, 'red': 0.67}
    """
    shades = _shaded_palette()
    if not len(pixels):
        return np.zeros(len(shades))
    voters = rgb_to_lab(pixels[::-(-len(pixels) // _VOTERS)])
    nearest = np.square(voters[:, None, None] - shades).sum(-1).min(-1).argmin(-1)
    return np.bincount(nearest, minlength=len(shades)) / len(voters)


def region_mask(size: tuple[int, int], region: str) -> np.ndarray:
    """Where a garment of a region is expected, (H, W) bool: the middle of its band.

    Raises:
        ValueError: If the region is not one of ``BANDS``.
    """
    top, bottom = _band(region)
    rows = (np.arange(size[0]) + .5) / size[0]
    columns = (np.arange(size[1]) + .5) / size[1]
    inside = (columns > _COLUMNS[0]) & (columns < _COLUMNS[1])
    return ((rows > top) & (rows < bottom))[:, None] & inside


@TASK_UTILS.register_module()
class EditStrengthGate(BaseGate):
    """The garment took the new colour: its vote rose, and rose more than that of any other.

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
    """Nothing else changed: share of the pixels outside the mask that took another colour.

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
        mask = Image.fromarray(_pixels(request, result)[2])
        outside = ~np.asarray(mask.convert('L').filter(_GROW)).astype(bool)
        before, after = (rgb_to_lab(np.asarray(image.convert('RGB').filter(_SMOOTH)))
                         for image in (request.image, result.image))
        changed = np.linalg.norm(after - before, axis=-1) > self.tolerance
        return changed[outside].mean() if outside.any() else float('nan')


@TASK_UTILS.register_module()
class KeepColorsGate(BaseGate):
    """The other colours of the caption stay: largest change of one's vote outside the mask."""

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
    """The image is one: share of the mask that became pure black, white or primary; 1 if blank."""

    name = 'sanity'

    def __init__(self, high: float = .2) -> None:
        super().__init__(high=high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        before, after, mask = _pixels(request, result)
        if after.std() < _BLANK < before.std() or not mask.any():
            return 1.
        return (_clipped(after[mask]) - _clipped(before[mask])).clip(0)


@TASK_UTILS.register_module()
class MaskGate(BaseGate):
    """The mask can be that garment: its share of the image, or -1 if it lies in another region."""

    name = 'mask'

    def __init__(self, low: float = .02, high: float = .5) -> None:
        super().__init__(low, high)

    def measure(self, request: EditRequest, result: EditResult) -> float:
        if result.mask is None:
            return float('nan')
        if not result.mask.any():
            return 0.
        top, bottom = _band(request.region)
        center = (np.nonzero(result.mask)[0].mean() + .5) / len(result.mask)
        return result.mask.mean() if top < center < bottom else -1.


@TASK_UTILS.register_module()
class CaptionGate(BaseGate):
    """The new captions say what was asked: number of captions that do not.

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
    """A scorer agrees, both ways: the result fits the new caption better, the source the old one.

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
        """What determines the verdict, for the manifest's digest."""
        name = getattr(self.scorer, '__qualname__', type(self.scorer).__qualname__)
        return dict(type=type(self).__name__, low=self.low,
                    scorer=getattr(self.scorer, 'digest_fields', name))

    def measure(self, request: EditRequest, result: EditResult) -> float:
        scores = np.asarray(self.scorer([request.image, result.image],
                                        [request.source_caption, request.target_caption]), float)
        if scores.shape != (2, 2):
            raise ValueError(f'the scorer gave {scores.shape} scores for 2 images and 2 captions')
        return min(scores[0, 0] - scores[0, 1], scores[1, 1] - scores[1, 0])


def _check(request: EditRequest, result: EditResult) -> None:
    if request.job_id != result.job_id:
        raise ValueError(f'{request.job_id}: the result is that of job {result.job_id}')
    if request.image.size != result.image.size:
        raise ValueError(f'{request.job_id}: the image is {request.image.size}, the result '
                         f'{result.image.size}; an editor keeps the size')
    if result.mask is not None and result.mask.shape != request.image.size[::-1]:
        raise ValueError(f'{request.job_id}: mask {result.mask.shape} for an image of '
                         f'{request.image.size[::-1]} (height, width)')


def _pixels(request: EditRequest, result: EditResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source and result, (H, W, 3) uint8, and where the edit is, (H, W) bool."""
    before = np.asarray(request.image.convert('RGB'))
    after = np.asarray(result.image.convert('RGB'))
    mask = result.mask
    return before, after, region_mask(before.shape[:2], request.region) if mask is None else mask


def _band(region: str) -> tuple[float, float]:
    if region not in BANDS:
        raise ValueError(f'no band for region {region!r}; there are {", ".join(BANDS)}')
    return BANDS[region]


def _clipped(pixels: np.ndarray) -> np.ndarray:
    return ((pixels == 0) | (pixels == 255)).any(-1).mean()


def _without_colors(caption: str) -> list[str]:
    """Words of a caption with every colour phrase's colour taken out, and ``an`` made ``a``."""
    for mention in reversed(find_color_mentions(caption)):
        start, end = mention.color
        caption = f'{caption[:start]}*{caption[end:]}'
    return ['a' if word.key == 'an' else word.key for word in split_words(caption)]
