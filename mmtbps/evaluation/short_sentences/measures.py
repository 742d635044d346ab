"""Measures of one short sentence: precision at the number of true pictures, average precision."""

from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['SentenceMeasures', 'measure_sentence', 'skill']


class SentenceMeasures(NamedTuple):
    """Measures of a sentence, each a share.

    Args:
        precision: Of the first pictures, as many as are true.
        average_precision: Mean precision at each true picture.
        base: Share of true pictures in the gallery: what a random order gets.
    """

    precision: float
    average_precision: float
    base: float

    @property
    def skill(self) -> float:
        """Share of the way from the base rate to perfect that the precision has gone."""
        return skill(self.precision, self.base)


def measure_sentence(scores: np.ndarray, true: np.ndarray, unsure: np.ndarray) -> SentenceMeasures:
    """Measure one sentence.

    Pictures of equal score stand in the worst order: the true ones last.

    Args:
        scores: ``(N,)`` of the pictures.
        true: ``(N,)`` bool, whether the sentence is true of them.
        unsure: ``(N,)`` bool; these are no part of the gallery.

    Raises:
        BadValue: The shapes differ, nothing or all of the gallery is true, or a score is no number.

    Example:
        >>> measure_sentence(np.array([.9, .8, .7, .6]), np.array([1, 0, 1, 0], bool),
        ...                  np.zeros(4, bool))
        SentenceMeasures(precision=0.5, average_precision=0.8333333333333333, base=0.5)
    """
    scores, true = np.asarray(scores, np.float64), np.asarray(true, bool)
    unsure = np.asarray(unsure, bool)
    if not scores.shape == true.shape == unsure.shape or scores.ndim != 1:
        raise BadValue(f'scores, true and unsure must all be (N,), got {scores.shape}, '
                       f'{true.shape} and {unsure.shape}')
    if not np.isfinite(scores).all():
        raise BadValue('a score is not a finite number; are the features?')
    scores, true = scores[~unsure], true[~unsure]
    count = int(true.sum())
    if not 0 < count < len(true):
        raise BadValue(f'a sentence that is true of {count} of {len(true)} pictures measures '
                       'nothing')
    hits = true[np.lexsort((true, -scores))]
    places = np.flatnonzero(hits) + 1
    return SentenceMeasures(float(hits[:count].mean()),
                            float((np.arange(1, count + 1) / places).mean()),
                            count / len(true))


def skill(precision: float, base: float) -> float:
    """Compute the share of the way from the base rate to 1: ``(precision - base) / (1 - base)``.

    Args:
        precision: At the number of true pictures.
        base: Share of true pictures, below 1.

    Example:
        >>> round(skill(.6, .2), 3), skill(.2, .2)
        (0.5, 0.0)
    """
    return (precision - base) / (1 - base)
