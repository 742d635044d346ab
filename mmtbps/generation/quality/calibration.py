"""Bounds of gates, chosen on edits whose truth is known."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.proportions import Proportion

from .base import BaseGate
from .labels import EditLabel

__all__ = ['Calibration', 'calibrate', 'choose_bounds']

#: Name of a gate -> ``low``, ``high`` or both.
Bounds = dict[str, dict[str, float]]
_LEAST = 10        # right edits without which no bound is worth its name
_HALF = .5         # of the right edits; one step that loses more is taken only if it must be
_KEPT = .95        # of the right edits, which a bound that tells nothing must let pass


class _Cut(NamedTuple):
    """Bound on one side of a gate, and what it leaves."""

    gate: str
    side: str
    bound: float
    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Bounds and what they do to the labelled edits.

    Args:
        bounds: Those that were chosen; gates without keep theirs.
        alone: Name of a gate -> precision and recall of what it passes.
        together: Precision and recall of what all gates pass.
        held_out: The same where the bounds were chosen on the other half of the edits; ``None``
            where a half does not suffice for that.
    """

    bounds: Bounds
    alone: Mapping[str, tuple[Proportion, Proportion]]
    together: tuple[Proportion, Proportion]
    held_out: tuple[Proportion, Proportion] | None


def calibrate(labels: Sequence[EditLabel], gates: Iterable[BaseGate],
              precision: float = .95) -> Calibration:
    """Choose bounds so that so many of the edits that all gates pass are right.

    Beside those of `choose_bounds`, a bound that refuses more than 5 % of the right edits is
    loosened; all others stay.

    Args:
        labels: Edits with their truth and the gates' values; ``partial`` counts as not right.
        gates: Those to bound. A gate is bounded on the sides it has a bound at.
        precision: Least share of right edits among those that pass.

    Raises:
        BadValue: If the precision is not in (0, 1), the labels are too few or have no
            values of these gates, or no bounds reach it.
    """
    if not 0 < precision < 1:
        raise BadValue(f'precision must lie between 0 and 1, got {precision}')
    right = np.array([label.label == 'right' for label in labels], bool)
    if right.sum() < _LEAST:
        raise BadValue(f'{right.sum()} of {len(right)} labelled edits are right; bounds need at '
                       f'least {_LEAST} of them')
    own = {gate.name: {side: value for side in ('low', 'high')
                       if (value := getattr(gate, side)) is not None} for gate in gates}
    values = {name: _values(labels, name) for name in own}
    own = {name: kept for name, kept in own.items() if np.isfinite(values[name]).any()}
    if not own:
        raise BadValue('the labels have no values of the gates that are to be bounded')
    final = _settle(values, right, own, precision)
    bounds = {name: kept for name, kept in final.items() if kept != own[name]}
    passed = {name: _passes(values, {name: kept}) for name, kept in final.items()}
    everything = np.logical_and.reduce([*passed.values(), np.ones(len(right), bool)])
    return Calibration(bounds, {name: _measures(ok, right) for name, ok in passed.items()},
                       _measures(everything, right),
                       _hold_out(labels, values, right, own, precision))


def choose_bounds(values: Mapping[str, np.ndarray], right: np.ndarray,
                  sides: Mapping[str, Iterable[str]], precision: float) -> Bounds:
    """Choose the loosest bounds that reach a precision, one side of a gate after the other.

    As in the peeling of bump hunting (Friedman and Fisher, Statistics and Computing 1999), all
    edits are in at first. If one cut reaches the precision, that which keeps most right edits is
    the last. Else the cut is made that tells right from wrong best: the share of the wrong ones
    that it removes exceeds that of the right ones most.

    Args:
        values: Name of a gate -> (N,) values; NaN passes any bound.
        right: (N,) bool, the truth.
        sides: Name of a gate -> the sides it may be bounded at, of ``'low'`` and ``'high'``.
        precision: Share of right edits among those that are left.

    Returns:
        Bounds halfway between what passes and what does not; gates that no cut was made at are
        left out.

    Raises:
        BadValue: If no bounds reach the precision.

    >>> right = np.arange(20) >= 8
    >>> choose_bounds(dict(place=np.arange(20) / 10), right, dict(place=['low']), .99)
    {'place': {'low': 0.75}}
    """
    bounds: Bounds = {}
    kept = np.ones(len(right), bool)
    while right[kept].sum() < precision * kept.sum():
        cuts = [cut for name, those in sides.items() for side in those
                for cut in _cuts(name, side, values[name][kept], right[kept])]
        good, bad = max(1, right[kept].sum()), (~right[kept]).sum()
        gain = {cut: (bad - cut.wrong) / bad - (good - cut.right) / good for cut in cuts}
        best = max(cuts, key=gain.__getitem__, default=None)
        last = max((cut for cut in cuts if cut.right >= precision * (cut.right + cut.wrong)),
                   key=lambda cut: cut.right, default=None)
        if last is not None and (last.right >= _HALF * good or gain[best] <= 0):
            best = last
        elif best is None or gain[best] <= 0:
            raise BadValue(f'no bounds of {", ".join(sides) or "no gate"} reach a precision of '
                           f'{precision:g} on {len(right)} labelled edits; the best they do is '
                           f'{right[kept].mean():.3f}. Ask for less, or add a gate that tells '
                           'these edits apart')
        bounds.setdefault(best.gate, {})[best.side] = best.bound
        kept &= _passes(values, {best.gate: {best.side: best.bound}})
    return bounds


def _settle(values: Mapping[str, np.ndarray], right: np.ndarray, own: Bounds,
            precision: float) -> Bounds:
    """Choose bounds beside those that stay as they are, loosened if need be; return all."""
    loose = {name: {side: _loosened(side, bound, values[name][right])
                    for side, bound in kept.items()} for name, kept in own.items()}
    chosen = choose_bounds(values, right, own, precision)
    before: Bounds = {}
    while chosen and _sides(chosen) != _sides(before):
        within = _passes(values, {name: {side: bound for side, bound in kept.items()
                                         if side not in chosen.get(name, {})}
                                  for name, kept in loose.items()})
        before, chosen = chosen, choose_bounds(
            {name: values[name][within] for name in chosen}, right[within], chosen, precision)
    final = {name: {**kept, **chosen.get(name, {})} for name, kept in loose.items()}
    # Bounds that stay may refuse more right edits than wrong ones.
    ok = _passes(values, final)
    more = choose_bounds({name: values[name][ok] for name in own}, right[ok], own, precision)
    return {name: {**kept, **more.get(name, {})} for name, kept in final.items()}


def _sides(bounds: Bounds) -> set[tuple[str, str]]:
    return {(name, side) for name, kept in bounds.items() for side in kept}


def _loosened(side: str, bound: float, values: np.ndarray) -> float:
    """Return a bound, or a looser one if it refuses more than a few of the right edits."""
    judged = values[np.isfinite(values)]
    ok = judged >= bound if side == 'low' else judged <= bound
    if not len(judged) or ok.mean() >= _KEPT:
        return bound
    return float(np.quantile(judged, 1 - _KEPT, method='lower') if side == 'low'
                 else np.quantile(judged, _KEPT, method='higher'))


def _cuts(name: str, side: str, values: np.ndarray, right: np.ndarray) -> list[_Cut]:
    """List the bounds between any two values that differ, and what each leaves."""
    judged = np.isfinite(values)
    sign = 1 if side == 'low' else -1
    order = np.argsort(sign * values[judged], kind='stable')
    ranked, truth = values[judged][order], right[judged][order]
    steps = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
    lost_right, lost_wrong = np.cumsum(truth), np.cumsum(~truth)
    good, bad = int(right.sum()), int((~right).sum())
    return [_Cut(name, side, _between(ranked[step - 1], ranked[step]),
                 good - int(lost_right[step - 1]), bad - int(lost_wrong[step - 1]))
            for step in steps]


def _between(first: float, second: float) -> float:
    """Return a short number between two that differ."""
    low, high = sorted((float(first), float(second)))
    middle = (low + high) / 2
    return next((short for digits in range(2, 17)
                 if low < (short := float(f'{middle:.{digits}g}')) < high), middle)


def _values(labels: Sequence[EditLabel], name: str) -> np.ndarray:
    """Collect what a gate measured, (N,); NaN where it measured nothing."""
    found = (label.gates.get(name, {}).get('value') for label in labels)
    return np.array([np.nan if value is None else value for value in found], float)


def _passes(values: Mapping[str, np.ndarray], bounds: Bounds) -> np.ndarray:
    refused = [values[name] < bound if side == 'low' else values[name] > bound
               for name, kept in bounds.items() for side, bound in kept.items()]
    return ~np.logical_or.reduce([*refused, np.zeros(len(next(iter(values.values()))), bool)])


def _measures(ok: np.ndarray, right: np.ndarray) -> tuple[Proportion, Proportion]:
    """Count precision and recall."""
    return Proportion.of(right[ok].tolist()), Proportion.of(ok[right].tolist())


def _hold_out(labels: Sequence[EditLabel], values: Mapping[str, np.ndarray], right: np.ndarray,
              own: Bounds, precision: float) -> tuple[Proportion, Proportion] | None:
    """Judge each half of the edits by bounds that were chosen on the other."""
    half = np.array([zlib.crc32(label.job_id.encode()) % 2 for label in labels], bool)
    ok = np.zeros(len(right), bool)
    for chosen in (half, ~half):
        if right[chosen].sum() < _LEAST or not (~chosen).any():
            return None
        try:
            final = _settle({name: values[name][chosen] for name in own}, right[chosen], own,
                            precision)
        except BadValue:
            return None
        ok |= ~chosen & _passes(values, final)
    return _measures(ok, right)
