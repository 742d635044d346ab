"""Two calibrations at once, for sentences of a length that both were fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .sentence_lengths import count_words

if TYPE_CHECKING:
    from .calibration import PresenceCalibration

__all__ = ['MixedCalibration', 'mix_by_length']

Array = NDArray[np.floating]


@dataclass(frozen=True)
class MixedCalibration:
    """Two calibrations, weighed, so that one word more changes no answer much.

    Args:
        shorter: That of the shorter sentences.
        longer: That of the longer ones.
        share: Weight of the longer, in (0, 1).
    """

    shorter: 'PresenceCalibration'
    longer: 'PresenceCalibration'
    share: float

    @property
    def bank(self) -> Array:
        """The neutral sentences, which both have."""
        return self.longer.bank

    @property
    def prior(self) -> float:
        """Share of the sentences whose person was there in the fit, of both."""
        return self.longer.prior

    @property
    def fitted_on(self) -> dict[str, Any]:
        """Notes of the one that counts more."""
        return (self.longer if self.share >= .5 else self.shorter).fitted_on

    def probabilities(self, evidence: Array, size: Array | int,
                      prior: float | None = None) -> tuple[Array, Array]:
        """Compute what `PresenceCalibration.probabilities` does, by both."""
        (present, hits), (other, others) = (
            one.probabilities(evidence, size, prior) for one in (self.shorter, self.longer))
        return (present + self.share * (other - present), hits + self.share * (others - hits))


def mix_by_length(sentence: str, known: Sequence['PresenceCalibration']
                  ) -> 'PresenceCalibration | MixedCalibration':
    """Weigh calibrations by where in the lengths that they share a sentence lies.

    Args:
        sentence: That is asked.
        known: Those that were fitted on sentences of its length, the most important first; of more
            than two the first two.

    Returns:
        The first, if it is alone, or if the lengths of one lie within those of the other.
    """
    ranges = [one.fitted_on.get('words') for one in known[:2]]
    if len(ranges) < 2 or None in ranges:
        return known[0]
    order = sorted(range(2), key=lambda one: ranges[one])
    (low, high), (start, end) = (ranges[one] for one in order)
    if not (low < start <= high < end):
        return known[0]
    share = (count_words(sentence) - start + 1) / (high - start + 2)
    return MixedCalibration(known[order[0]], known[order[1]], share)
