"""Recolouring without any weights: the control that every diffusion editor is compared with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from mmtbps.registry import TASK_UTILS

from .colorspace import lab_to_rgb, nearest_color, palette, rgb_to_lab
from .gates import BANDS
from .requests import BaseEditor, EditRequest, EditResult

__all__ = ['RecolorEditor', 'garment_mask', 'shift_color']

_FEWEST_PIXELS = 0.005  # of the image; less is taken for chance


def garment_mask(lab: np.ndarray, color: str, band: tuple[float, float],
                 tolerance: float = 25.) -> np.ndarray:
    """Pixels that look like a garment of this colour, from colour and height alone.

    Pixels of the band whose nearest basic colour is ``color`` vote for the garment's own tone
    (their median); the mask is what lies near that tone, smoothed by its neighbourhood.

    Args:
        lab: ``(H, W, 3)`` CIE Lab.
        color: Basic colour name.
        band: Top and bottom, shares of the height.
        tolerance: Largest Lab distance from the garment's tone.

    Returns:
        ``(H, W)`` bool; empty if hardly any pixel votes.

    Raises:
        ValueError: If ``color`` is no basic colour.
    """
    names, _ = palette()
    if color not in names:
        raise ValueError(f'{color!r} is no basic colour; those are {", ".join(names)}')
    height, width = lab.shape[:2]
    rows = (np.arange(height) + .5) / height
    inside = ((rows >= band[0]) & (rows <= band[1]))[:, None]
    votes = (nearest_color(lab) == names.index(color)) & inside
    if votes.sum() < _FEWEST_PIXELS * height * width:
        return np.zeros((height, width), bool)
    tone = np.median(lab[votes], axis=0)
    near = (np.linalg.norm(lab - tone, axis=-1) <= tolerance) & inside
    reach = max(1, width // 32)
    share = F.avg_pool2d(torch.from_numpy(near)[None, None].double(), 2 * reach + 1, stride=1,
                         padding=reach)[0, 0].numpy()
    return (share > .5) & inside


def shift_color(lab: np.ndarray, mask: np.ndarray, color: str) -> np.ndarray:
    """Move the masked pixels' median to a basic colour; folds and shading stay.

    >>> gray = np.full((2, 2, 3), [50., 0., 0.])
    >>> shifted = shift_color(gray, np.eye(2, dtype=bool), 'red')
    >>> bool((shifted[0, 0] == shifted[1, 1]).all()), shifted[0, 1].tolist()
    (True, [50.0, 0.0, 0.0])
    """
    names, anchors = palette()
    shifted = lab.copy()
    if mask.any():
        shifted[mask] += anchors[names.index(color)] - np.median(lab[mask], axis=0)
        shifted[..., 0] = shifted[..., 0].clip(0, 100)
    return shifted


@TASK_UTILS.register_module()
class RecolorEditor(BaseEditor):
    """Shifts the Lab colour of the pixels that look like the garment.

    Needs neither weights nor a GPU. What it misses by (other things of the same colour at the same
    height, garments hidden in part) shows what a diffusion editor adds. An image on which no
    such garment is seen comes back as it was, with an empty mask.

    Args:
        tolerance: See `garment_mask`.

    Raises:
        ValueError: On editing a request whose region has no place in ``gates.BANDS``.
    """

    def __init__(self, tolerance: float = 25.) -> None:
        self.tolerance = tolerance

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Tolerance and bands."""
        return dict(type=type(self).__name__, tolerance=self.tolerance,
                    bands={region: list(band) for region, band in BANDS.items()})

    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """One by one."""
        return [self._edit_one(request) for request in requests]

    def _edit_one(self, request: EditRequest) -> EditResult:
        if request.region not in BANDS:
            raise ValueError(f'{request.job_id}: no place is known for region {request.region!r}; '
                             f'there is one for {", ".join(BANDS)}')
        pixels = np.asarray(request.image.convert('RGB'))
        lab = rgb_to_lab(pixels)
        mask = garment_mask(lab, request.old_color, BANDS[request.region], self.tolerance)
        edited = np.where(mask[..., None], lab_to_rgb(shift_color(lab, mask, request.new_color)),
                          pixels)
        return EditResult(request.job_id, Image.fromarray(edited), mask)
