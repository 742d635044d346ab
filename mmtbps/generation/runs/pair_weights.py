"""Weights of generated pairs in a loss, from the measurements of their gates."""

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from mmtbps.errors import BadValue

from .manifest import Record

__all__ = ['DEFAULT_FLOOR', 'weigh_pairs']

#: Weight of a pair that every gate only just accepts.
DEFAULT_FLOOR = 0.5


def weigh_pairs(accepted: Sequence[Record], floor: float = DEFAULT_FLOOR) -> list[float]:
    """Weigh accepted pairs by how far inside the bounds of their gates they are.

    A gate with one bound gives a pair a score: 0 at the bound, 1 at the median of all accepted
    pairs or better, straight in between. The weight is ``floor`` plus the rest of 1 times the mean
    score. A gate with two bounds or none says nothing of better or worse, nor does one that half
    of the pairs only just pass; a measurement that could not be made says nothing at all, and a
    pair without a score has weight 1. The scale is that of the run itself, so that gates of any
    unit count alike.

    Args:
        accepted: Records with status ``'accepted'``, of one run.
        floor: Weight of a pair that lies at the bound of every gate; 1 for equal weights.

    Returns:
        A weight in [floor, 1] for each record, which order and processes do not change.

    Raises:
        BadValue: If ``floor`` is outside [0, 1].

    Example:
        >>> def accept(value):
        ...     gate = dict(value=value, min=0.2, max=None, ok=True)
        ...     return Record('a', 'accepted', {}, {}, {}, {}, gates=dict(strength=gate))
        >>> weigh_pairs([accept(0.2), accept(0.3), accept(0.4), accept(0.4), accept(0.9)])
        [0.5, 0.75, 1.0, 1.0, 1.0]
    """
    if not 0 <= floor <= 1:
        raise BadValue(f'the weight of a pair that just passes must lie in [0, 1], got {floor}')
    inside: dict[str, list[float]] = {}
    for record in accepted:
        for name, verdict in record.gates.items():
            if (distance := _distance(verdict)) is not None:
                inside.setdefault(name, []).append(distance)
    typical = {name: middle for name, distances in inside.items()
               if (middle := median(distances)) > 0}
    weights = []
    for record in accepted:
        scores = [min(1., distance / typical[name]) for name, verdict in record.gates.items()
                  if name in typical and (distance := _distance(verdict)) is not None]
        weights.append(round(floor + (1 - floor) * mean(scores or [1.]), 4))
    return weights


def _distance(verdict: Mapping[str, Any]) -> float | None:
    """Compute how far inside its one bound a measurement lies; ``None`` if that says nothing."""
    value, low, high = (verdict.get(key) for key in ('value', 'min', 'max'))
    if value is None or (low is None) == (high is None):
        return None
    return max(0., high - value if low is None else value - low)
