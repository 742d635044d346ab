"""Interface of the gates: a measurement of an edit, bounds, and a verdict."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmtbps.errors import BadValue

from ..editing.base import EditRequest, EditResult
from ..editing.edit_kinds import EDIT_KINDS
from ..evidence.base import EditEvidence

__all__ = ['BaseGate', 'GateVerdict', 'is_number', 'run_gates']


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Measurement and verdict of one gate.

    Args:
        name: Of the gate.
        value: The number it measured; NaN if there was nothing to measure.
        ok: The edit passes.
        low: Smallest value that passes, if the gate has one.
        high: Largest value that passes, if the gate has one.
        judged: There was something to measure; an edit that was not judged passes.
        reason: Of the value, in a few words; empty where the number says it all.
    """

    name: str
    value: float
    ok: bool
    low: float | None = None
    high: float | None = None
    judged: bool = True
    reason: str = ''

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types, apart from the name; only what is not usual is added.

        >>> GateVerdict('seam', .25, False, high=.08).to_json()
        {'value': 0.25, 'min': None, 'max': 0.08, 'ok': False}
        """
        return dict(value=self.value, min=self.low, max=self.high, ok=bool(self.ok),
                    **({} if self.judged else dict(judged=False)),
                    **(dict(reason=self.reason) if self.reason else {}))


class BaseGate(ABC):
    """Gate on a number with the bounds between which it passes; a missing one (NaN) passes.

    Args:
        low: Smallest value that passes.
        high: Largest value that passes.

    Raises:
        BadValue: If a bound is no finite number, or nothing lies between them.

    Attributes:
        kinds: Names in `EDIT_KINDS` of the edits that it judges; others pass.
        needs_edited_evidence: The gate also asks for evidence of the edited image.
        bounds_source: Origin of bounds that were calibrated; ``None`` for those of the settings.
            It stands in the manifest of a run.
    """

    name: str
    kinds: frozenset[str] = frozenset(EDIT_KINDS)
    needs_edited_evidence = False
    bounds_source: str | None = None

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high
        self.check_bounds()

    def check_bounds(self) -> None:
        """Check that there are values between the bounds.

        Raises:
            BadValue: Naming the gate, if a bound is no finite number, or the low one is above the
                high one.
        """
        for side in ('low', 'high'):
            if (bound := getattr(self, side)) is not None and not is_number(bound):
                raise BadValue(f'{self.name}: {side} must be a finite number, got {bound!r}')
        if None not in (self.low, self.high) and self.low > self.high:
            raise BadValue(f'{self.name}: nothing lies between low {self.low} and high {self.high}')

    @abstractmethod
    def measure(self, request: EditRequest, result: EditResult) -> float:
        """Compute the number of this gate."""

    def measure_with_reason(self, request: EditRequest, result: EditResult) -> tuple[float, str]:
        """Compute the number of this gate, and say in a few words where it comes from."""
        return self.measure(request, result), ''

    def __call__(self, request: EditRequest, result: EditResult) -> GateVerdict:
        """Measure and judge.

        Raises:
            ValueError: If the result belongs to another job or its image or mask has another
                size than the request's image, or evidence is of another size.
        """
        _check(request, result)
        if request.kind not in self.kinds:
            return GateVerdict(self.name, float('nan'), True, self.low, self.high, False,
                               f'does not judge edits of kind {request.kind}')
        value, reason = self.measure_with_reason(request, result)
        value = float(value)
        ok = not (value < (-np.inf if self.low is None else self.low)
                  or value > (np.inf if self.high is None else self.high))
        return GateVerdict(self.name, value, ok, self.low, self.high, not np.isnan(value), reason)


def is_number(value: Any) -> bool:
    """Tell a finite number from what no gate can compare with; NaN would let everything pass.

    >>> is_number(.5), is_number(float('nan')), is_number('0.5')
    (True, False, False)
    """
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and abs(value) <= sys.float_info.max)


def run_gates(gates: Iterable[Callable[[EditRequest, EditResult], GateVerdict]],
              request: EditRequest, result: EditResult) -> dict[str, GateVerdict]:
    """Collect the verdict of every gate by its name; the edit is accepted if all are ``ok``.

    Raises:
        BadValue: If two gates have one name.
    """
    verdicts: dict[str, GateVerdict] = {}
    for gate in gates:
        verdict = gate(request, result)
        if verdict.name in verdicts:
            raise BadValue(f'two gates are called {verdict.name!r}')
        verdicts[verdict.name] = verdict
    return verdicts


def _check(request: EditRequest, result: EditResult) -> None:
    if request.job_id != result.job_id:
        raise ValueError(f'{request.job_id}: the result is that of job {result.job_id}')
    if request.image.size != result.image.size:
        raise ValueError(f'{request.job_id}: the image is {request.image.size}, the result '
                         f'{result.image.size}; an editor keeps the size')
    if result.mask is not None and result.mask.shape != request.image.size[::-1]:
        raise ValueError(f'{request.job_id}: mask {result.mask.shape} for an image of '
                         f'{request.image.size[::-1]} (height, width)')
    for evidence in (request.evidence, result.evidence):
        _check_evidence(request, evidence or EditEvidence())


def _check_evidence(request: EditRequest, evidence: EditEvidence) -> None:
    for name in ('person', 'parts'):
        found = getattr(evidence, name)
        if found is not None and found.shape != request.image.size[::-1]:
            raise ValueError(f'{request.job_id}: {name} of the evidence is {found.shape} for an '
                             f'image of {request.image.size[::-1]} (height, width)')
