"""Summary of a run: the share the gates accept, and the negative controls they let pass."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mmtbps.errors import UserError

from ..editing.edit_kinds import kinds_that
from ..quality.place_gates import PLACE_GATE
from ..quality.scored_gates import CONTENT_GATES
from .manifest import Record

__all__ = ['InvalidRun', 'RunSummary', 'summarise']


_ON_GARMENT = kinds_that(on_garment=True)
_BEYOND_COLOR = kinds_that() - {'color'}


class InvalidRun(UserError, RuntimeError):
    """A run whose gates let edits pass that are wrong by construction."""


@dataclass
class RunSummary:
    """Counts over the jobs of a run; add to it record by record.

    Args:
        max_control_rate: Largest fraction of a negative control that may pass. A few always do: a
            stranger may happen to wear the colour asked for.
        min_controls: Tries of a control before it can condemn a run.

    Attributes:
        unproven_place: Edits of garments whose place nothing proves but the editor's own mask.
        unproven_content: Edits of other kinds than colour of which no model said that the picture
            shows what was asked; gates on pixels know colours only.

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
    unproven_place: int = 0
    unproven_content: int = 0

    def add(self, record: Record) -> None:
        """Count one job."""
        self.statuses[record.status] += 1
        for name, verdict in record.gates.items():
            self.gates.setdefault(name, Counter())[bool(verdict['ok'])] += 1
            self.unjudged[name] += not verdict.get('judged', True)
        kind = record.edit.get('kind', 'color')
        if record.status in ('accepted', 'rejected'):
            self.unproven_place += kind in _ON_GARMENT and not _judged(record, PLACE_GATE)
            self.unproven_content += (kind in _BEYOND_COLOR
                                      and not _judged(record, *CONTENT_GATES))
        for name, passed in record.controls.items():
            self.controls.setdefault(name, Counter())[passed] += 1
        if record.reason is not None:
            self.reasons[record.reason.partition(':')[0]] += 1

    @property
    def total(self) -> int:
        """Number of jobs counted."""
        return sum(self.statuses.values())

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
        unproven = ''.join(f'; unproven {what} in {count}' for what, count in (
            ('place', self.unproven_place), ('content', self.unproven_content)) if count)
        return f'{self.total} jobs: {counts}; acceptance {100 * self.acceptance:.1f} %{unproven}'


def _judged(record: Record, *gates: str) -> bool:
    return any(name in record.gates and record.gates[name].get('judged', True) for name in gates)


def summarise(records: Iterable[Record], max_control_rate: float = 0.1,
              min_controls: int = 10) -> RunSummary:
    """Count all records."""
    summary = RunSummary(max_control_rate, min_controls)
    for record in records:
        summary.add(record)
    return summary
