"""Summary of a run: the share the gates accept, and the negative controls they let pass."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mmtbps.errors import UserError

from ..quality.place_gates import PLACE_GATE
from .manifest import Record

__all__ = ['InvalidRun', 'RunSummary', 'summarise']


class InvalidRun(UserError, RuntimeError):
    """A run whose gates let edits pass that are wrong by construction."""


@dataclass
class RunSummary:
    """Counts over the jobs of a run; add to it record by record.

    Args:
        max_control_rate: Largest fraction of a negative control that may pass. A few always do: a
            stranger may happen to wear the colour asked for.
        min_controls: Tries of a control before it can condemn a run.

    >>> summary = RunSummary(max_control_rate=0.1, min_controls=1)
    >>> summary.add(Record('a', 'accepted', {}, {}, {}, {}, controls=dict(unedited=True)))
    >>> summary.check()
    Traceback (most recent call last):
    mmtbps.generation.runs.run_summary.InvalidRun: the run is invalid: the gates accept 1 of 1 \
'unedited' controls, which are wrong by construction (at most 10 % may pass). Tighten the gates \
and start again
    """

    max_control_rate: float = 0.1
    min_controls: int = 10
    statuses: Counter[str] = field(default_factory=Counter)
    gates: dict[str, Counter[bool]] = field(default_factory=dict)
    unjudged: Counter[str] = field(default_factory=Counter)
    controls: dict[str, Counter[bool]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count one job."""
        self.statuses[record.status] += 1
        for name, verdict in record.gates.items():
            self.gates.setdefault(name, Counter())[bool(verdict['ok'])] += 1
            self.unjudged[name] += not verdict.get('judged', True)
        for name, passed in record.controls.items():
            self.controls.setdefault(name, Counter())[passed] += 1
        if record.reason is not None:
            self.reasons[record.reason.partition(':')[0]] += 1

    @property
    def total(self) -> int:
        """Number of jobs counted."""
        return sum(self.statuses.values())

    @property
    def unproven_place(self) -> int:
        """Number of edits whose place nothing proves but the editor's own mask."""
        judged = self.gates.get(PLACE_GATE, Counter()).total() - self.unjudged[PLACE_GATE]
        return self.statuses['accepted'] + self.statuses['rejected'] - judged

    @property
    def acceptance(self) -> float:
        """Accepted edits as a fraction of those that were judged; 0 if none was."""
        judged = self.statuses['accepted'] + self.statuses['rejected']
        return self.statuses['accepted'] / judged if judged else 0.

    def passing_controls(self) -> list[str]:
        """Word a sentence on each control that passes too often; none for a run to be trusted."""
        return [f'the gates accept {counts[True]} of {sum(counts.values())} {name!r} controls'
                for name, counts in sorted(self.controls.items())
                if sum(counts.values()) >= self.min_controls
                and counts[True] > self.max_control_rate * sum(counts.values())]

    def check(self) -> None:
        """Stop where the gates cannot be trusted.

        Raises:
            InvalidRun: If a negative control passes too often.
        """
        if passing := self.passing_controls():
            raise InvalidRun(
                f'the run is invalid: {"; ".join(passing)}, which are wrong by construction (at '
                f'most {100 * self.max_control_rate:g} % may pass). Tighten the gates and start '
                'again')

    def __str__(self) -> str:
        counts = ', '.join(f'{self.statuses[name]} {name}'
                           for name in ('accepted', 'rejected', 'failed'))
        place = f'; unproven place in {self.unproven_place}' if self.unproven_place else ''
        return f'{self.total} jobs: {counts}; acceptance {100 * self.acceptance:.1f} %{place}'


def summarise(records: Iterable[Record], max_control_rate: float = 0.1,
              min_controls: int = 10) -> RunSummary:
    """Count all records."""
    summary = RunSummary(max_control_rate, min_controls)
    for record in records:
        summary.add(record)
    return summary
