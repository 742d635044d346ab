"""Gates of place and posture: the change lies where others see the garment, and nowhere else.

They ask the evidence of a picture, which knows nothing of the editor, and the pixels that changed,
never the editor's mask. Without evidence they do not judge: the value is NaN and the edit passes.
"""

from collections.abc import Iterator

import numpy as np

from mmtbps.registry import TASK_UTILS

from ..color.change import color_change, grow
from ..editing.base import EditRequest, EditResult
from ..editing.edit_kinds import find_kind, kinds_that
from ..evidence.base import PARTS, EditEvidence
from .base import BaseGate

__all__ = ['PLACE_GATE', 'PlaceGate', 'PoseGate', 'PreserveGate', 'edge_reach', 'sure_garment']

#: Name of the gate that proves the place of an edit.
PLACE_GATE = 'place'
_FEWEST_PIXELS = .002    # of the image; a smaller part says nothing
_SURE = .2               # of the garment must be surely of its region, to be asked for alone
_ABOVE_THE_KNEES = ('shorts', 'skirt', 'skirts', 'miniskirt', 'miniskirts')   # or so they may be
_FEWEST_JOINTS = 4       # of a posture that can be compared
_NAN = float('nan')


def edge_reach(height: int) -> int:
    """Compute how many pixels the outline of a garment may be off, in an image so many rows high.

    >>> edge_reach(128), edge_reach(640)
    (2, 6)
    """
    return 1 + height // 128


def sure_garment(evidence: EditEvidence, region: str, noun: str = '') -> np.ndarray | None:
    """Mask the pixels that are surely the garment of a region, (H, W) bool.

    A parsing calls ``full`` what is worn above and below, and one of joints alone all between
    waist and knees. Where a garment of the region itself is seen, only that is sure; but what
    joints call ``lower`` may be bare legs below a garment that ends above the knees.

    Args:
        evidence: Of the picture.
        region: ``'upper'``, ``'lower'`` or ``'full'``.
        noun: Of the garment.

    Returns:
        ``None`` without a parsing.
    """
    garment = evidence.garment(region)
    if garment is None or noun in _ABOVE_THE_KNEES:
        return garment
    own = evidence.part(region)
    return own if own.sum() >= _SURE * garment.sum() else garment


@TASK_UTILS.register_module()
class PlaceGate(BaseGate):
    """Gate on the place of the change: on the named garment, and on enough of it.

    The value is the share of the changed pixels that lie on the garment of the request's region,
    or the share of the garment that changed, whichever is less: 0 for a face, a wheel or a
    neighbour, .3 where a third of a coat was dyed. A garment that nobody finds cannot have been
    edited: 0. NaN without a parsing.

    Args:
        low: Smallest value that passes.
        tolerance: Lab distance that counts as a change.
    """

    name = PLACE_GATE
    kinds = kinds_that(on_garment=True)

    def __init__(self, low: float = .5, tolerance: float = 12.) -> None:
        super().__init__(low=low)
        self.tolerance = tolerance

    def measure(self, request: EditRequest, result: EditResult) -> float:
        return self.measure_with_reason(request, result)[0]

    def measure_with_reason(self, request: EditRequest, result: EditResult) -> tuple[float, str]:
        garment = _evidence(request).garment(request.region)
        sure = sure_garment(_evidence(request), request.region, request.noun)
        if garment is None or sure is None:
            return _NAN, 'no parsing'
        changed = color_change(request.image, result.image) > self.tolerance
        if not (garment.any() and changed.any()):
            return 0., f'no {"change" if garment.any() else f"garment of region {request.region}"}'
        inside = grow(garment, edge_reach(len(garment)))[changed].mean()
        covered = changed[sure].mean()
        return min(inside, covered), (f'{inside:.2f} of the change on the garment, {covered:.2f} '
                                      'of the garment changed')


@TASK_UTILS.register_module()
class PreserveGate(BaseGate):
    """Gate on all that is not the garment: the part of which most took another colour.

    Parts are face, hair, skin, background, other garments and whatever else a parsing tells apart;
    the outline of the garment is left out. The value is the share of the part's pixels that
    changed; of a part that is larger than the garment, their number relative to the garment's, so
    that a wide background hides nothing. Where only the person is known, the part is the
    background. NaN if neither is.

    Where the background is what changes, the parts are those of the person instead.

    Args:
        high: Largest value that passes.
        tolerance: Lab distance that counts as another colour.
    """

    name = 'preserve'
    kinds = kinds_that(on_garment=True) | kinds_that(keeps_person=True)

    def __init__(self, high: float = .15, tolerance: float = 18.) -> None:
        super().__init__(high=high)
        self.tolerance = tolerance

    def measure(self, request: EditRequest, result: EditResult) -> float:
        return self.measure_with_reason(request, result)[0]

    def measure_with_reason(self, request: EditRequest, result: EditResult) -> tuple[float, str]:
        changed = color_change(request.image, result.image) > self.tolerance
        garment = _garment(request)
        most = changed.size if garment is None or not garment.any() else garment.sum()
        shares = {name: min(1., changed[part].sum() / min(part.sum(), most))
                  for name, part in _protected(request) if part.mean() >= _FEWEST_PIXELS}
        if not shares:
            known = garment is not None or _evidence(request).person is not None
            return _NAN, 'nothing else is seen' if known else 'no parsing'
        name = max(shares, key=shares.__getitem__)
        return shares[name], name if shares[name] > 0 else ''


@TASK_UTILS.register_module()
class PoseGate(BaseGate):
    """Gate on the posture: share of the joints of the source that are elsewhere, or gone.

    A joint is elsewhere if it moved by more than ``reach`` of the person's extent. NaN if one of
    the two pictures has no key-points, or the source fewer than four that are seen.

    Args:
        high: Largest share that passes.
        reach: Share of the longer side of the box around the source's joints.
        seen: Least score of a joint that is seen.
    """

    name = 'pose'
    kinds = kinds_that(keeps_posture=True)
    needs_edited_evidence = True

    def __init__(self, high: float = .2, reach: float = .06, seen: float = .3) -> None:
        super().__init__(high=high)
        self.reach, self.seen = reach, seen

    def measure(self, request: EditRequest, result: EditResult) -> float:
        before = _evidence(request).keypoints
        after = None if result.evidence is None else result.evidence.keypoints
        if before is None or after is None:
            return _NAN
        there = before[:, 2] >= self.seen
        if there.sum() < _FEWEST_JOINTS:
            return _NAN
        before, after = before[there], after[there]
        extent = np.ptp(before[:, :2], axis=0).max()
        kept = np.linalg.norm(after[:, :2] - before[:, :2], axis=1) <= self.reach * extent
        return 1 - (kept & (after[:, 2] >= self.seen)).mean()  # so that a NaN is no joint kept


def _evidence(request: EditRequest) -> EditEvidence:
    return request.evidence or EditEvidence()


def _garment(request: EditRequest) -> np.ndarray | None:
    """Mask the garment that is to change; ``None`` if it is not known, or there is none."""
    on_garment = find_kind(request.kind).on_garment
    return _evidence(request).garment(request.region) if on_garment else None


def _protected(request: EditRequest) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the pixels, (H, W) bool, of each part that must stay as it is."""
    evidence, person = _evidence(request), _evidence(request).person
    if evidence.parts is not None:
        changing = evidence.part('background') if find_kind(request.kind).keeps_person \
            else _garment(request)
        free = ~grow(changing, edge_reach(len(changing)))
        for name in PARTS:
            yield name, evidence.part(name) & free
    elif person is not None:
        name, changing = ('person', ~person) if find_kind(request.kind).keeps_person \
            else ('background', person)
        yield name, ~grow(changing, edge_reach(len(changing)))
