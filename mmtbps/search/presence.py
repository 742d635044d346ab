"""Presence: the answer to whether the person of a query is there at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ['Presence']


@dataclass(frozen=True)
class Presence:
    """The answer to whether the person of a query is there at all.

    Args:
        probability: That the person is among the entries that were searched.
        searched: Entries that passed the filters.
        calibrated: False for an estimate without labels, which is no probability that was tried.
        basis: What the calibration was fitted on, or ``'not calibrated'`` with the reason.
        hits: By id of an entry, the probability that it is the person.
    """

    probability: float
    searched: int
    calibrated: bool
    basis: str
    hits: Mapping[str, float] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; the probabilities of hits stand with them."""
        return dict(probability=self.probability, searched=self.searched,
                    calibrated=self.calibrated, basis=self.basis)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'Presence':
        """Read what :meth:`to_json` wrote."""
        return cls(**values)
