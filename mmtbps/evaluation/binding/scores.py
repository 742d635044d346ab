"""Outcomes of attribute binding, from scores of pictures with captions."""

from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue

__all__ = ['PairScores', 'pair_scores', 'true_beats_negative']


class PairScores(NamedTuple):
    """Outcomes of N pairs of pictures with their captions, each ``(N,)`` bool.

    Args:
        text: For both pictures the right caption scores higher. By chance in a quarter.
        image: For both captions the right picture scores higher. By chance in a quarter.
        group: All of it. By chance in a sixth.
    """

    text: np.ndarray
    image: np.ndarray
    group: np.ndarray


def true_beats_negative(true: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Tell of each picture whether its caption scores higher than the negative; a tie does not.

    Args:
        true: ``(N,)`` scores of the pictures with their captions.
        negative: ``(N,)`` scores with the negatives.

    Returns:
        ``(N,)`` bool.

    Raises:
        BadValue: The shapes differ, or a score is no number.

    Example:
        >>> true_beats_negative(np.array([.5, .5, .2]), np.array([.4, .5, .3])).tolist()
        [True, False, False]
    """
    true, negative = _finite(true), _finite(negative)
    if true.shape != negative.shape or true.ndim != 1:
        raise BadValue(f'true and negative must both be (N,), got {true.shape} and '
                       f'{negative.shape}')
    return true > negative


def pair_scores(scores: np.ndarray) -> PairScores:
    """Tell of each pair of pictures with two captions which sides are told apart.

    The measures of Winoground: Probing Vision and Language Models for Visio-Linguistic
    Compositionality, https://arxiv.org/abs/2204.03162, section 3. A tie tells nothing apart.

    Args:
        scores: ``(N, 2, 2)``: pair, picture, caption; picture 0 belongs to caption 0.

    Raises:
        BadValue: The shape is another, or a score is no number.

    Example:
        >>> found = pair_scores(np.array([[[.9, .2], [.8, .7]]]))
        >>> found.text.tolist(), found.image.tolist(), found.group.tolist()
        ([False], [True], [False])
    """
    scores = _finite(scores)
    if scores.ndim != 3 or scores.shape[1:] != (2, 2):
        raise BadValue(f'scores must be (N, 2, 2), got {scores.shape}')
    (a, b), (c, d) = scores.transpose(1, 2, 0)
    text, image = (a > b) & (d > c), (a > c) & (d > b)
    return PairScores(text, image, text & image)


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise BadValue('a score is not a finite number; are the features?')
    return values
