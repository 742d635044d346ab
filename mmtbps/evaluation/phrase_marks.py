"""Marks of phrases on pictures: yes, no or unsure, by their opposites and two bounds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['LABEL_FREE', 'Bounds', 'MarkQuality', 'fit_bounds', 'mark_margins', 'phrase_margins',
           'rate_marks', 'share_lacking']

#: The least room between the average opposite and the best, as a share of the way between texts.
_LEAST_ROOM = .05


class Bounds(NamedTuple):
    """Two bounds of margins: from ``high`` on a phrase holds, up to ``low`` it does not.

    Args:
        low: At most this: no.
        high: At least this: yes.
        source: ``'label-free'``, or ``'calibrated'`` if labels were seen.
    """

    low: float
    high: float
    source: str = 'calibrated'


#: A picture nearer to the phrase than to each of its opposites has it; one that is no nearer to it
#: than to the average opposite does not. No label is needed for that, and none has confirmed it.
LABEL_FREE = Bounds(0., 1., 'label-free')


def phrase_margins(images: np.ndarray, phrase: np.ndarray, opposites: np.ndarray) -> np.ndarray:
    r"""Compute how far pictures are on the side of a phrase, and not of its opposites.

    .. math:: z = \frac12 + \frac{s - (\bar o + o_{max}) / 2}{\max(o_{max} - \bar o, r)}

    with the score :math:`s` of the phrase, the average :math:`\bar o` and the best
    :math:`o_{max}` of its opposites: 0 at the average, 1 at the best. It has no unit, so that one
    pair of bounds can serve all models. The room :math:`r` is a twentieth of the mean way from the
    phrase to an opposite; it counts where the opposites are one, or nearly so.

    Args:
        images: ``(N, D)`` unit features.
        phrase: ``(D,)`` unit feature of the text.
        opposites: ``(K, D)`` unit features, at least one.

    Returns:
        ``(N,)`` float64.

    Example:
        >>> texts = np.eye(3)
        >>> phrase_margins(np.float64([[1, 0, 0], [0, 1, 0]]), texts[0], texts[1:]).round(2).tolist()
        [14.64, -1.0]
    """  # noqa: E501
    images, phrase, opposites = (np.asarray(part, np.float64)
                                 for part in (images, phrase, opposites))
    if not len(opposites):
        raise BadValue('a phrase without opposites cannot be checked')
    scores, others = images @ phrase, images @ opposites.T
    mean, best = others.mean(1), others.max(1)
    least = _LEAST_ROOM * np.linalg.norm(opposites - phrase, axis=1).mean()
    return .5 + (scores - (mean + best) / 2) / np.maximum(np.maximum(best - mean, least), 1e-12)


def mark_margins(margins: np.ndarray, bounds: Bounds = LABEL_FREE) -> list[str]:
    """Mark margins as ``'yes'``, ``'no'`` or ``'unsure'``.

    Example:
        >>> mark_margins(np.float64([-.2, .5, 1.]))
        ['no', 'unsure', 'yes']
    """
    return ['yes' if margin >= bounds.high else 'no' if margin <= bounds.low else 'unsure'
            for margin in np.asarray(margins).tolist()]


def fit_bounds(margins: np.ndarray, holds: np.ndarray, error: float = .1) -> Bounds:
    """Fit the two bounds on pictures of which it is known whether a phrase holds.

    ``low`` is where no more than a share ``error`` of the pictures that have it would be told that
    they have not, and ``high`` where no more than that share of those that have it not would be
    told that they have, each with the correction for a sample that conformal prediction makes. If
    both cannot be told apart any better, nothing between is unsure: where ``low`` would lie above
    ``high``, both are the bound of the best balanced accuracy.

    Args:
        margins: ``(N,)`` of `phrase_margins`.
        holds: ``(N,)`` bool.
        error: Greatest share of wrong marks of each kind, above 0 and below .5.

    Raises:
        BadValue: The error is none, or there are no pictures of one kind.

    Example:
        >>> fit_bounds(np.arange(40.), np.arange(40) >= 20)[:2]
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
        return Bounds(float(low), float(high))
    cuts = np.unique(margins)
    cuts = (cuts[1:] + cuts[:-1]) / 2 if len(cuts) > 1 else cuts
    right = (1 - np.searchsorted(have, cuts) / len(have)) + np.searchsorted(lack, cuts) / len(lack)
    best = float(cuts[int(right.argmax())])
    return Bounds(best, best)


class MarkQuality(NamedTuple):
    """How well marks agree with the truth.

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
