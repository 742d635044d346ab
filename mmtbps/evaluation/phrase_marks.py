"""Bounds of marks fitted on labels, and the agreement of marks with the truth."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['MarkQuality', 'fit_bounds', 'rate_marks', 'share_lacking']


def fit_bounds(margins: np.ndarray, holds: np.ndarray,
               error: float = .1) -> tuple[float, float]:
    """Fit the two bounds on pictures of which it is known whether a phrase holds.

    ``low`` is where no more than a share ``error`` of the pictures that have it would be told that
    they have not, and ``high`` where no more than that share of those that have it not would be
    told that they have, each with the correction for a sample that conformal prediction makes. If
    both cannot be told apart any better, nothing between is unsure: where ``low`` would lie above
    ``high``, both are the bound of the best balanced accuracy.

    Args:
        margins: ``(N,)``, the sides of `mmtbps.search.answers.margins.phrase_margins`.
        holds: ``(N,)`` bool.
        error: Greatest share of wrong marks of each kind, above 0 and below .5.

    Raises:
        BadValue: The error is none, or there are no pictures of one kind.

    Example:
        >>> fit_bounds(np.arange(40.), np.arange(40) >= 20)
        (19.5, 19.5)
    """
    margins, holds = np.asarray(margins, np.float64), np.asarray(holds, bool)
    if not 0 < error < .5:
        raise BadValue(f'the error of marks must be above 0 and below 0.5, got {error}')
    have, lack = np.sort(margins[holds]), np.sort(margins[~holds])
    if not len(have) or not len(lack):
        raise BadValue('bounds are fitted on pictures that have a thing and on others that lack '
                       f'it; there are {len(have)} and {len(lack)}')
    allowed = int(error * (len(have) + 1)), int(error * (len(lack) + 1))
    low = have[allowed[0] - 1] if allowed[0] else np.nextafter(have[0], -np.inf)
    high = lack[-allowed[1]] if allowed[1] else np.nextafter(lack[-1], np.inf)
    if low < high:
        return float(low), float(high)
    cuts = np.unique(margins)
    cuts = (cuts[1:] + cuts[:-1]) / 2 if len(cuts) > 1 else cuts
    right = (1 - np.searchsorted(have, cuts) / len(have)) + np.searchsorted(lack, cuts) / len(lack)
    best = float(cuts[int(right.argmax())])
    return best, best


class MarkQuality(NamedTuple):
    """Agreement of marks with the truth.

    Args:
        balanced_accuracy: Mean of the shares that are right among those that have the thing and
            among those that lack it, of the pictures that are marked yes or no; NaN if one kind is
            marked nowhere.
        decided: Share of the pictures that are marked yes or no.
        positives: How many have it.
    """

    balanced_accuracy: float
    decided: float
    positives: int


def rate_marks(marks: Sequence[str], holds: Sequence[bool]) -> MarkQuality:
    """Compare marks with the truth; what is unsure is left out, and counted.

    Example:
        >>> rate_marks(['yes', 'no', 'unsure', 'yes'], [True, False, False, False])
        MarkQuality(balanced_accuracy=0.75, decided=0.75, positives=1)
    """
    holds = np.asarray(holds, bool)
    yes = np.array([mark == 'yes' for mark in marks], bool)
    sure = np.array([mark != 'unsure' for mark in marks], bool)
    kinds = [(yes == holds)[sure & (holds == kind)] for kind in (True, False)]
    accuracy = np.mean([part.mean() for part in kinds]) if all(
        len(part) for part in kinds) else np.nan
    return MarkQuality(float(accuracy), float(sure.mean()) if len(sure) else np.nan,
                       int(holds.sum()))


def share_lacking(ranked: Sequence[bool], first: int) -> Mapping[str, float]:
    """Compute the share of the first places that lack a thing, beside the share of all.

    Args:
        ranked: Whether each place of a ranking has the thing that was to be absent, best first.
        first: So many places.

    Example:
        >>> share_lacking([False, False, True, True], first=2)
        {'first': 1.0, 'base': 0.5}
    """
    lacks = ~np.asarray(ranked, bool)
    return dict(first=float(lacks[:first].mean()), base=float(lacks.mean()))
