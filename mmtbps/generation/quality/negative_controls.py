"""Edits that are wrong by construction. Gates that let them pass cannot be trusted."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from PIL import Image

from ..color.colorspace import palette
from ..editing.base import EditRequest, EditResult
from .gates import GateVerdict, run_gates

__all__ = ['CONTROLS', 'negative_controls', 'other_color', 'try_controls']

CONTROLS = ('unedited', 'other_person', 'over_strong', 'other_color')
_OVERSHOOT = 4.      # an over-strong edit goes so many times as far as it should


def negative_controls(request: EditRequest, result: EditResult, stranger: Image.Image | None = None
                      ) -> dict[str, tuple[EditRequest, EditResult]]:
    """Make wrong edits from a right one.

    ``unedited`` is the source passed off as the result; ``other_person`` another person's image,
    where one is given; ``over_strong`` overshoots the change of every pixel; ``other_color`` is
    the result under a caption that asks for another colour, far from old and new.

    Args:
        request, result: A job and its edit.
        stranger: Image of another person, resized to this one.
    """
    controls = dict(unedited=(request, replace(result, image=request.image)))
    if stranger is not None:
        other = stranger.convert('RGB').resize(request.image.size)
        controls['other_person'] = request, replace(result, image=other)
    controls['over_strong'] = request, replace(result, image=_overshoot(request, result))
    controls['other_color'] = _ask_for(request, other_color(request)), result
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
    """Tell of each control whether all gates let it pass; the names are those of ``CONTROLS``.

    `mmtbps.generation.runs.run_summary.RunSummary` counts them, and judges a run by them.
    """
    gates = list(gates)
    return {name: all(verdict.ok for verdict in run_gates(gates, *control).values())
            for name, control in negative_controls(request, result, stranger).items()}


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
