"""Edits that are wrong by construction. Gates that let them pass cannot be trusted."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from PIL import Image

from ..color.change import grow
from ..color.colorspace import lab_to_rgb, palette, rgb_to_lab
from ..editing.base import EditRequest, EditResult
from ..editing.recolor import shift_color
from .base import GateVerdict, run_gates
from .place_gates import edge_reach, sure_garment

__all__ = ['CONTROLS', 'PLACE_CONTROLS', 'negative_controls', 'other_color', 'try_controls']

CONTROLS = ('unedited', 'other_person', 'over_strong', 'other_color')
#: Controls that can be made of a picture whose garment is known from evidence.
PLACE_CONTROLS = ('elsewhere', 'partial', 'spill')
_OVERSHOOT = 4.      # an over-strong edit goes so many times as far as it should
_PART = .3           # of the garment
_SPILL = 1.          # pixels of the neighbours, relative to those of the garment
_BEYOND = .3         # the same of those that no gate may take for an outline that is a little off
_OVERLAP = .2        # of the garment, at most, with the place that is elsewhere


def negative_controls(request: EditRequest, result: EditResult, stranger: Image.Image | None = None
                      ) -> dict[str, tuple[EditRequest, EditResult]]:
    """Make wrong edits from a right one.

    ``unedited`` is the source passed off as the result; ``other_person`` another person's image,
    where one is given; ``over_strong`` overshoots the change of every pixel; ``other_color`` is
    the result under a caption that asks for another colour, far from old and new.

    If the request's evidence knows the garment, right-looking shifts of colour in a wrong place
    are tried too, each under a mask of its own, as of an editor that takes this for the garment:
    ``elsewhere`` is beside the garment, ``partial`` 30 % of it, ``spill`` it and its neighbours.

    Of an edit that is not of colour only the first two are made.

    Args:
        request, result: A job and its edit.
        stranger: Image of another person, resized to this one.
    """
    made = replace(result, evidence=None)  # of the right image alone
    controls = dict(unedited=(request, replace(made, image=request.image)))
    if stranger is not None:
        other = stranger.convert('RGB').resize(request.image.size)
        controls['other_person'] = request, replace(made, image=other)
    if request.kind != 'color':
        return controls
    controls['over_strong'] = request, replace(made, image=_overshoot(request, result))
    controls['other_color'] = _ask_for(request, other_color(request)), result
    controls.update({name: (request, replace(made, image=_shift(request, mask), mask=mask))
                     for name, mask in _wrong_places(request).items()})
    return controls


def other_color(request: EditRequest) -> str:
    """Choose the basic colour whose smaller Lab distance to old and new colour is largest.

    >>> other_color(EditRequest(
    ...     'j1', Image.new('RGB', (8, 24)), ('A blue shirt.',), ('A red shirt.',), 0,
    ...     (2, 6), (2, 5), (2, 12), (2, 11), 'blue', 'red', 'shirt', 'upper', seed=7))
    'green'
    """
    names, anchors = palette()
    used = [names.index(request.old_color), names.index(request.new_color)]
    distance = np.linalg.norm(anchors[:, None] - anchors[used], axis=-1).min(1)
    return names[int(distance.argmax())]


def try_controls(gates: Iterable[Callable[[EditRequest, EditResult], GateVerdict]],
                 request: EditRequest, result: EditResult, stranger: Image.Image | None = None
                 ) -> dict[str, bool]:
    """Tell of each control whether all gates let it pass.

    The names are those of ``CONTROLS``, and with evidence of the garment of ``PLACE_CONTROLS``.

    `mmtbps.generation.runs.run_summary.RunSummary` counts them, and judges a run by them.
    """
    gates = list(gates)
    return {name: all(verdict.ok for verdict in run_gates(gates, *control).values())
            for name, control in negative_controls(request, result, stranger).items()}


def _wrong_places(request: EditRequest) -> dict[str, np.ndarray]:
    """Mask the places of the controls of place, (H, W) bool, as far as the picture has them."""
    garment = None if request.evidence is None else request.evidence.garment(request.region)
    if garment is None or not garment.any():
        return {}
    sure = sure_garment(request.evidence, request.region, request.noun)
    end = np.quantile(np.nonzero(sure)[0], _PART, method='nearest')
    places = dict(elsewhere=_displaced(garment), spill=_with_neighbours(garment),
                  partial=sure & (np.arange(len(sure))[:, None] < end))
    return {name: places[name] for name in PLACE_CONTROLS if places[name].any()}


def _displaced(garment: np.ndarray) -> np.ndarray:
    """Move a mask to the place, sideways if possible, that has least of it; empty if all has."""
    height, width = garment.shape
    steps = [(0, width // 2), (0, width // 3), (0, -width // 3), (height // 4, width // 2),
             (height // 2, 0), (height // 3, 0), (-height // 3, 0)]
    moved = [np.roll(garment, step, axis=(0, 1)) for step in steps]
    least = min(moved, key=lambda mask: (mask & garment).sum())
    return least & ~garment if (least & garment).sum() <= _OVERLAP * garment.sum() \
        else np.zeros_like(garment)


def _with_neighbours(garment: np.ndarray) -> np.ndarray:
    """Add to a mask what is nearest to it, as many pixels as it has itself; empty without.

    Around a narrow one, such as a sleeve, these are but its outline: there it takes more.
    """
    wide, outline, size = garment, grow(garment, edge_reach(len(garment))), garment.sum()
    while not wide.all() and (wide.sum() < (1 + _SPILL) * size
                              or (wide & ~outline).sum() < _BEYOND * size):
        wide = grow(wide, 1)
    enough = wide.sum() > (1 + _SPILL / 2) * size and (wide & ~outline).any()
    return wide if enough else np.zeros_like(garment)


def _shift(request: EditRequest, mask: np.ndarray) -> Image.Image:
    """Give the pixels of a mask the new colour, as a good editor would."""
    before = np.asarray(request.image.convert('RGB'))
    shifted = lab_to_rgb(shift_color(rgb_to_lab(before), mask, request.new_color))
    return Image.fromarray(np.where(mask[..., None], shifted, before))


def _overshoot(request: EditRequest, result: EditResult) -> Image.Image:
    before = np.asarray(request.image.convert('RGB'), np.float64)
    after = np.asarray(result.image.convert('RGB'), np.float64)
    strong = before + _OVERSHOOT * (after - before)
    return Image.fromarray(strong.clip(0, 255).round().astype(np.uint8))


def _ask_for(request: EditRequest, color: str) -> EditRequest:
    """Return the same request for another new colour."""
    start, end = request.target_span
    phrase_start, phrase_end = request.target_phrase_span
    grown = len(color) - (end - start)
    captions = list(request.target_captions)
    caption = captions[request.caption_index]
    captions[request.caption_index] = caption[:start] + color + caption[end:]
    return replace(request, target_captions=tuple(captions), new_color=color,
                   target_span=(start, start + len(color)),
                   target_phrase_span=(phrase_start, phrase_end + grown))
