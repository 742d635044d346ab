"""Scores of a sentence in which each of its phrases is weighed against its opposites."""

from collections.abc import Sequence

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.evidence import score_moments
from mmtbps.lexicon import AskedPhrase

from .phrases import PhraseChecker

__all__ = ['check_weight', 'log_shares', 'phrases_to_weigh', 'score_spreads', 'weighed_scores']

#: Weight of all phrases, as a part of the spread of the sentence's scores, and the temperature of
#: their shares, likewise. Chosen on drawn people; both are without unit, so that models whose
#: cosines lie close together are treated like others.
WEIGHT, TEMPERATURE = .4, .3
#: Rounding leaves so much of the spread of equal scores, and no model's scores lie so close.
_NO_SPREAD = 1e-6
#: Of which the sentence itself is nothing any more.
_MOST_WEIGHT = 1000


def log_shares(scores: np.ndarray, spread: float) -> np.ndarray:
    r"""Compute the logarithm of a phrase's share among itself and its opposites.

    .. math:: \log \frac{e^{s_0 / \tau}}{\sum_k e^{s_k / \tau}}, \quad \tau = 0.3\, \sigma

    Args:
        scores: ``(N, 1 + K)`` of pictures with the phrase, which is first, and its opposites.
        spread: The standard deviation :math:`\sigma` of the sentence's scores, see
            `score_spreads`; above 0.

    Returns:
        ``(N,)`` float64, at most 0.

    Example:
        >>> log_shares(np.float64([[1, 1], [9, 0]]), 1.).round(3).tolist()
        [-0.693, -0.0]
    """
    scores = np.asarray(scores, np.float64) / (TEMPERATURE * spread)
    most = scores.max(1)
    return scores[:, 0] - most - np.log(np.exp(scores - most[:, None]).sum(1))


def score_spreads(queries: np.ndarray, mean: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the standard deviations of the scores that queries have over a gallery.

    Args:
        queries: ``(Q, D)``.
        mean: ``(D,)``, see `mmtbps.evaluation.presence.evidence.gallery_moments`.
        second: ``(D, D)``.

    Returns:
        ``(Q,)``.

    Example:
        >>> score_spreads(np.float64([[1, 0]]), np.float64([.5, .5]), np.eye(2) / 2).tolist()
        [0.5]
    """
    means, squares = score_moments(queries, mean, second)
    return np.sqrt(np.maximum(squares - means ** 2, 0.))


def phrases_to_weigh(sentence: str | None) -> tuple[AskedPhrase, ...]:
    """List the phrases of a sentence that can be weighed: what it denies is not among them."""
    return () if sentence is None else tuple(
        phrase for phrase in PhraseChecker.phrases(sentence) if not phrase.negated)


def check_weight(weight: float) -> None:
    """Check the weight of the phrases of a sentence.

    Raises:
        BadValue: It is no number, negative, or more than 1,000.
    """
    if not isinstance(weight, int | float) or not 0 <= weight <= _MOST_WEIGHT:
        raise BadValue('the weight of the phrases of a sentence is from 0 to '
                       f'{_MOST_WEIGHT:,}, got {weight!r}')


def weighed_scores(scores: np.ndarray, features: np.ndarray, phrases: Sequence[AskedPhrase],
                   checker: PhraseChecker, spread: float, weight: float = 1.) -> np.ndarray:
    r"""Add to the scores of a sentence what its phrases tell apart.

    .. math:: s / \sigma + 0.4\, w\; \mathrm{mean}_p \log \mathrm{share}_p

    A long sentence is one vector, in which a colour has little to say; asked alone, against the
    other colours of the same garment, it says more. Nothing is decided: a picture that lacks one
    thing and fits in all others stays in front of one that fits in none.

    Args:
        scores: ``(N,)`` of pictures with the sentence.
        features: ``(N, D)`` unit features of the pictures.
        phrases: Of the sentence.
        checker: Of the model.
        spread: Of `score_spreads`. Where all pictures are alike, it is 0, and the scores stay.
        weight: Of all phrases; 0 leaves the order as it was.

    Returns:
        ``(N,)`` float64, in parts of the spread.

    Raises:
        BadValue: See `check_weight`.
    """
    check_weight(weight)
    scores = np.asarray(scores, np.float64)
    if not spread > _NO_SPREAD:
        return scores
    shares = [log_shares(features @ checker.vectors(phrase).T, spread) for phrase in phrases]
    told = np.mean(shares, axis=0) if shares else 0.
    return scores / spread + WEIGHT * weight * told
