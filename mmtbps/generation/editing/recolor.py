"""Recolouring without weights: the editor that every diffusion editor is compared with."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from ..color.colorspace import into_gamut, lab_to_rgb, palette, rgb_to_lab
from ..color.votes import BANDS, shaded_palette
from ..evidence.base import EditEvidence
from .base import BaseEditor, EditRequest, EditResult

__all__ = ['RecolorEditor', 'garment_cover', 'garment_mask', 'request_cover', 'request_mask',
           'shift_color']

_FEWEST_PIXELS = .005          # of the image; less is taken for chance
_CORE = (.2, .6), (.3, .7)     # rows of the band and columns where only the garment is likely
_SIDES = .08                   # of the width; what is seen there is background
_WEIGHTS = .6, 1.6, 1.6        # of differences in L, a and b: most of the first is shadow
_SLACK, _SPREAD = 8., 1.2      # how far from its tone a garment goes, by how far its voters do
_PROBE, _STABLE = 1.25, .6     # factor on the tolerance, and least share of areas under it
_MIXED = .25                   # least share of the garment in a pixel that is worth editing
_FAMILY = 22.                  # Lab distance within which a pixel may be called by a colour
_RIVAL = 6.                    # how much nearer another colour may be
_HUE, _OWN_HUE = 12., .5        # chroma of a colour with a hue; how much of its own a pixel keeps
_TINTS = 0., .3, .55           # of a chromatic colour, towards white


def request_mask(request: EditRequest, tolerance: float = 25.) -> np.ndarray:
    """Mask the pixels that look like the garment to edit: a cover of more than a quarter.

    Arguments and errors as in `request_cover`. ``(H, W)`` bool.
    """
    lab = rgb_to_lab(np.asarray(request.image.convert('RGB')))
    return request_cover(request, lab, tolerance) > _MIXED


def request_cover(request: EditRequest, lab: np.ndarray, tolerance: float = 25.) -> np.ndarray:
    """Estimate the share of the garment to edit in each pixel, as `garment_cover` does.

    Evidence of the image says where it can be: on garments of the region if parts are known, else
    on the person.

    Args:
        request: What to edit.
        lab: Its image, ``(H, W, 3)`` CIE Lab.
        tolerance: See `garment_cover`.

    Returns:
        ``(H, W)`` in [0, 1].

    Raises:
        BadValue: Naming the job, if there is no band for its region; see `garment_cover`.
    """
    band, evidence = request.band, request.evidence or EditEvidence()
    return garment_cover(lab, request.old_color, band, tolerance,
                         evidence.garment(request.region), evidence.person)


def garment_mask(lab: np.ndarray, color: str, band: tuple[float, float],
                 tolerance: float = 25., garment: np.ndarray | None = None,
                 person: np.ndarray | None = None) -> np.ndarray:
    """Mask the pixels that look like a garment of this colour: a cover of more than a quarter.

    Arguments and errors as in `garment_cover`. ``(H, W)`` bool.
    """
    return garment_cover(lab, color, band, tolerance, garment, person) > _MIXED


def garment_cover(lab: np.ndarray, color: str, band: tuple[float, float],
                  tolerance: float = 25., garment: np.ndarray | None = None,
                  person: np.ndarray | None = None) -> np.ndarray:
    """Estimate the share of a garment in each pixel, from colour and place.

    Pixels in the middle of the band that may be called ``color``, in light or shadow, pale or
    deep, vote for the garment's own tone (their median). The garment is what lies near that tone,
    nearer than to what is seen at the sides of the row, and hangs together with the voters. A
    pixel at its edge belongs to it in part. If another tolerance would find much less or more, the
    garment runs into something of nearly its colour, and none is found.

    Args:
        lab: ``(H, W, 3)`` CIE Lab.
        color: Basic colour name.
        band: Top and bottom, shares of the height.
        tolerance: Largest Lab distance from the garment's tone.
        garment: ``(H, W)`` bool, where such a garment is known to be, in place of band, middle and
            sides.
        person: ``(H, W)`` bool, where a person is known to be, within the band.

    Returns:
        ``(H, W)`` in [0, 1]; all zeros if no garment is clearly seen.

    Raises:
        BadValue: If ``color`` is no basic colour.
    """
    names, _ = palette()
    if color not in names:
        raise BadValue(f'{color!r} is no basic colour; those are {", ".join(names)}')
    height, width = lab.shape[:2]
    inside, middle = _places((height, width), band)
    if garment is not None:
        inside = middle = garment
    elif person is not None:
        inside, middle = inside & person, middle & person
    votes = middle & inside
    votes[votes] = _may_be_called(lab[votes], names.index(color))
    if votes.sum() < _FEWEST_PIXELS * height * width:
        return np.zeros((height, width))
    off = _tone_distance(lab, np.median(lab[votes], axis=0))
    tolerance = min(tolerance, _SLACK + _SPREAD * np.quantile(off[votes], .75))
    reach = max(1, width // 32)
    off_side = np.inf if garment is not None else _side_distance(lab)

    def found(limit: float) -> np.ndarray:
        near = (off <= limit) & (off < off_side) & inside
        return _joined((_mean(near, reach) > .5) & inside, votes & near)

    if found(tolerance / _PROBE).sum() < _STABLE * found(tolerance * _PROBE).sum():
        return np.zeros((height, width))
    whole = found(tolerance)
    edge = _mean(whole, reach) > 0
    return np.where(whole, 1., (2 - off / tolerance).clip(0, 1) * edge) * inside


def _places(size: tuple[int, int], band: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mask the band, and its middle where only the garment is likely, ``(H, W)`` each."""
    height, width = size
    top, bottom = (band[0] + share * (band[1] - band[0]) for share in _CORE[0])
    rows, core = _between(height, *band), _between(height, top, bottom)
    return (np.broadcast_to(rows[:, None], size), core[:, None] & _between(width, *_CORE[1]))


def shift_color(lab: np.ndarray, mask: np.ndarray, color: str) -> np.ndarray:
    """Move the masked pixels' median to a basic colour; folds and shading stay.

    Darker pixels get less of the new hue, as in shadow, and where the new colour leaves less room
    to black or white than the old one, the shading is flatter.

    >>> gray = np.full((2, 2, 3), [50., 0., 0.])
    >>> shifted = shift_color(gray, np.eye(2, dtype=bool), 'red')
    >>> bool((shifted[0, 0] == shifted[1, 1]).all()), shifted[0, 1].tolist()
    (True, [50.0, 0.0, 0.0])
    """
    names, anchors = palette()
    shifted = np.array(lab, np.float64)
    if not mask.any():
        return shifted
    anchor, own = anchors[names.index(color)], shifted[mask]
    own -= np.median(own, axis=0)
    darkest, brightest = np.abs(np.quantile(own[:, 0], (.02, .98))) + 1e-6
    flatter = min(1., (anchor[0] - 3) / darkest), min(1., (97 - anchor[0]) / brightest)
    own[:, 0] *= np.where(own[:, 0] < 0, *flatter)
    own[:, 1:] = _OWN_HUE * own[:, 1:] + anchor[1:] * own[:, :1] / anchor[0]
    shifted[mask] = into_gamut(anchor + own - np.median(own, axis=0))
    return shifted


def _between(count: int, low: float, high: float) -> np.ndarray:
    """Mark those of ``count`` rows or columns that lie between two shares of them."""
    places = (np.arange(count) + .5) / count
    return (places >= low) & (places <= high)


@cache
def _families() -> tuple[np.ndarray, ...]:
    """Return what may be called by each basic colour: its shades, and pale ones of a hue."""
    white = rgb_to_lab(np.full(3, 255))
    return tuple(
        np.concatenate([shades + tint * (white - shades) for tint in _TINTS])
        if np.linalg.norm(anchor[1:]) > _HUE else shades
        for anchor, shades in zip(palette()[1], shaded_palette(), strict=True))


def _may_be_called(lab: np.ndarray, color: int) -> np.ndarray:
    distances = np.stack([np.linalg.norm(lab[..., None, :] - family, axis=-1).min(-1)
                          for family in _families()], -1)
    return distances[..., color] <= np.minimum(_FAMILY, distances.min(-1) + _RIVAL)


def _tone_distance(lab: np.ndarray, tone: np.ndarray) -> np.ndarray:
    return np.linalg.norm((lab - tone) * _WEIGHTS, axis=-1)


def _side_distance(lab: np.ndarray) -> np.ndarray:
    """Compute the distance of each pixel to the nearer of the two sides of its row."""
    strip = max(1, round(_SIDES * lab.shape[1]))
    return np.minimum(*(_tone_distance(lab, np.median(side, axis=1, keepdims=True))
                        for side in (lab[:, :strip], lab[:, -strip:])))


def _joined(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the parts of a mask that hold seeds."""
    import cv2  # comes with mmengine
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    return np.isin(labels, np.unique(labels[seeds & mask])) & mask


def _mean(mask: np.ndarray, reach: int) -> np.ndarray:
    return F.avg_pool2d(torch.from_numpy(mask)[None, None].double(), 2 * reach + 1, stride=1,
                        padding=reach)[0, 0].numpy()


@TASK_UTILS.register_module()
class RecolorEditor(BaseEditor):
    """Editor that shifts the Lab colour of the pixels that look like the garment.

    Needs neither weights nor a GPU. What it misses by (other things of the same colour at the same
    height, garments hidden in part) shows what a diffusion editor adds. An image on which no
    such garment is seen comes back as it was, with an empty mask. Evidence of the image keeps the
    edit off what is no garment of the region.

    Args:
        tolerance: See `garment_cover`.

    Raises:
        BadValue: On editing a request whose region has no band in ``color.votes.BANDS``, or that is
            of another kind than colour.
    """

    def __init__(self, tolerance: float = 25.) -> None:
        self.tolerance = tolerance

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Tolerance and bands of the regions."""
        return dict(type=type(self).__name__, tolerance=self.tolerance,
                    bands={region: list(band) for region, band in BANDS.items()})

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit one by one."""
        self.refuse_other_kinds(requests)
        return [self._edit_one(request) for request in requests]

    def _edit_one(self, request: EditRequest) -> EditResult:
        pixels = np.asarray(request.image.convert('RGB'))
        lab = rgb_to_lab(pixels)
        cover = request_cover(request, lab, self.tolerance)
        cover *= (mask := cover > _MIXED)
        shifted = shift_color(lab, mask, request.new_color)
        edited = lab_to_rgb(lab + cover[..., None] * (shifted - lab))
        return EditResult(request.job_id, Image.fromarray(
            np.where(mask[..., None], edited, pixels)), mask)
