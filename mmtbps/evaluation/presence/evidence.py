"""Evidence that somebody is in a gallery: plain functions of scores, for metric and search alike.

A score means little by itself: another encoder, gallery or sentence moves all of them. So each is
set beside what is known without any label: the scores of neutral sentences over the same gallery,
the scores of the query over it, and the neutral sentences' scores for the same picture.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ['EVIDENCE', 'FIRST_HITS', 'NeutralScale', 'gallery_moments', 'hit_evidence',
           'left_out', 'margin',
           'near_hits', 'neutral_scale', 'neutral_share', 'score_moments', 'stranger_moments']

Array = NDArray[np.floating]

#: Evidence of a hit, in the order of `hit_evidence`.
EVIDENCE = ('standing', 'agreement', 'own', 'query_mean', 'query_spread')
#: So many hits of a query are looked at, whatever number is shown.
FIRST_HITS = 10
#: Sharpness of the softmax over neutral sentences, in deviations of their scores.
SHARPNESS = 3.
#: So many entries of its own a gallery needs for its scale to count as much as a known one.
KNOWN_ENTRIES = 200
_LEAST_DEVIATION = 1e-6

#: Mean and deviation of the scores of neutral sentences over a gallery.
NeutralScale = tuple[float, float]


def gallery_moments(features: Array) -> tuple[Array, Array]:
    """Compute mean and second moment of a gallery's features.

    Of them alone the mean and the deviation of any query's scores follow, see `score_moments`, so
    that a search need not score everybody.

    Args:
        features: ``(N, D)``.

    Returns:
        ``(D,)`` mean and ``(D, D)`` mean of the outer products, float64.

    Example:
        >>> mean, second = gallery_moments(np.eye(2))
        >>> mean.tolist(), second.tolist()
        ([0.5, 0.5], [[0.5, 0.0], [0.0, 0.5]])
    """
    features = np.asarray(features, np.float64)
    return features.mean(0), features.T @ features / len(features)


def score_moments(queries: Array, mean: Array, second: Array) -> tuple[Array, Array]:
    """Compute mean and mean square of the scores that queries have over a gallery.

    Args:
        queries: ``(Q, D)``.
        mean: ``(D,)``, see `gallery_moments`.
        second: ``(D, D)``.

    Returns:
        ``(Q,)`` means and ``(Q,)`` mean squares.

    Example:
        >>> score_moments(np.array([[1., 0.]]), *gallery_moments(np.eye(2)))
        (array([0.5]), array([0.5]))
    """
    queries = np.asarray(queries, np.float64)
    return queries @ mean, ((queries @ second) * queries).sum(-1)


def neutral_scale(bank: Array, mean: Array, second: Array, count: int = 1,
                  known: NeutralScale | None = None) -> NeutralScale:
    """Compute mean and deviation of the scores of neutral sentences over a gallery.

    Args:
        bank: ``(B, D)`` features of the sentences.
        mean: ``(D,)``, see `gallery_moments`.
        second: ``(D, D)``.
        count: Entries of the gallery.
        known: Scale of another gallery of the same model, which counts as much as `KNOWN_ENTRIES`
            do: a small gallery says little of its own scale.

    Returns:
        The mean over sentences and entries, and the deviation over the entries.

    Example:
        >>> neutral_scale(np.array([[1., 0.]]), *gallery_moments(np.eye(2)))
        (0.5, 0.5)
    """
    means, squares = score_moments(bank, mean, second)
    found = np.array([means.mean(), max((squares - means ** 2).mean(), _LEAST_DEVIATION ** 2)])
    if known is not None:
        share = count / (count + KNOWN_ENTRIES)
        found = share * found + (1 - share) * np.array([known[0], known[1] ** 2])
    return float(found[0]), math.sqrt(found[1])


def neutral_share(bank_scores: Array, scale: NeutralScale) -> Array:
    """Compute for pictures the logarithm of what neutral sentences weigh in a softmax.

    Args:
        bank_scores: ``(..., B)`` scores of the sentences for each picture.
        scale: See `neutral_scale`.

    Returns:
        ``(...)``, to be handed to `hit_evidence`.

    Example:
        >>> neutral_share(np.array([[.5, .5]]), (.5, .1)).round(3).tolist()
        [0.693]
    """
    sharp = SHARPNESS * (np.asarray(bank_scores, np.float64) - scale[0]) / scale[1]
    most = sharp.max(-1, keepdims=True)
    return (most + np.log(np.exp(sharp - most).sum(-1, keepdims=True)))[..., 0]


def stranger_moments(mean: Array, square: Array, count: Array | int, first: Array,
                     searched: Array | int | None = None) -> tuple[Array, Array]:
    r"""Estimate mean and deviation of the scores of strangers, of whom the query tells nothing.

    The first hits may be the person, so they are left out; a normal law without its upper
    :math:`\alpha = T / N` has mean and deviation that are known, and this is set right for it.

    Args:
        mean: ``(Q,)`` mean of the scores over the whole gallery.
        square: ``(Q,)`` mean of their squares.
        count: Entries of the gallery.
        first: ``(Q, T)`` highest scores among the entries that were searched, T below ``count``.
        searched: Entries that were searched, fewer than ``count`` with a filter.

    Returns:
        ``(Q,)`` means and ``(Q,)`` deviations.

    Example:
        >>> scores = np.sort(np.random.default_rng(0).normal(2, 3, 100_000))[::-1]
        >>> mean, deviation = stranger_moments(scores.mean(), (scores ** 2).mean(), 100_000,
        ...                                    scores[:10_000])
        >>> round(float(mean), 1), round(float(deviation), 1)
        (2.0, 3.0)
    """
    first = np.asarray(first, np.float64)
    left_out = first.shape[-1]
    searched = count if searched is None else searched
    rest = count - left_out
    low = (count * mean - first.sum(-1)) / rest
    high = (count * square - (first ** 2).sum(-1)) / rest
    share = np.clip(left_out / np.asarray(searched, np.float64), 1e-9, .5)
    bound = upper_quantile(share)
    density = np.exp(-bound ** 2 / 2) / math.sqrt(2 * math.pi)
    # Moments of a standard normal law without what was left out of it.
    missing = searched * density / rest
    kept = (count - searched * (share + bound * density)) / rest
    variance = np.maximum(high - low ** 2, _LEAST_DEVIATION ** 2) / np.maximum(
        kept - missing ** 2, .05)
    deviation = np.sqrt(variance)
    return low + deviation * missing, deviation


def hit_evidence(scores: Array, shares: Array, query_mean: Array, query_deviation: Array,
                 scale: NeutralScale) -> Array:
    """Compute the evidence for hits, as `EVIDENCE` names it.

    ``standing`` is the score on the scale of the gallery's neutral sentences; ``agreement`` the
    logarithm of the sentence's share in a softmax over itself and the neutral sentences, for that
    picture; ``own`` the score on the scale of the query's own scores for strangers;
    ``query_mean`` and ``query_spread`` say where that scale lies.

    Args:
        scores: ``(Q, K)``.
        shares: ``(Q, K)`` of the hits' pictures, see `neutral_share`.
        query_mean: ``(Q,)``, see `stranger_moments`.
        query_deviation: ``(Q,)``.
        scale: See `neutral_scale`.

    Returns:
        ``(Q, K, 5)``.

    Example:
        >>> hit_evidence(np.array([[.6]]), np.array([[0.]]), np.array([.5]), np.array([.05]),
        ...              (.5, .1)).round(2).tolist()
        [[[1.0, -0.05, 2.0, 0.0, -0.69]]]
    """
    scores = np.asarray(scores, np.float64)
    mean, deviation = scale
    standing = (scores - mean) / deviation
    own = (scores - query_mean[:, None]) / query_deviation[:, None]
    agreement = -np.logaddexp(0, shares - SHARPNESS * standing)
    level = np.broadcast_to(((query_mean - mean) / deviation)[:, None], scores.shape)
    spread = np.broadcast_to(np.log(query_deviation / deviation)[:, None], scores.shape)
    return np.stack([standing, agreement, own, level, spread], -1)


def left_out(searched: int) -> int:
    """Say how many first hits are left out of the scores of strangers: ten, or a quarter.

    Example:
        >>> left_out(20), left_out(5000)
        (5, 10)
    """
    return max(1, min(FIRST_HITS, searched // 4))


def margin(scores: Array) -> Array:
    """Compute ``(Q,)`` margins between the first and the second of ``(Q, K)`` scores, best first.

    Example:
        >>> margin(np.array([[.75, .5, .25]])).tolist()
        [0.25]
    """
    scores = np.asarray(scores, np.float64)
    return scores[:, 0] - scores[:, 1] if scores.shape[1] > 1 else np.zeros(len(scores))


def near_hits(scores: Array, within: float) -> Array:
    """Count for each of ``(Q, K)`` rows, best first, the hits ``within`` reach of the first.

    Example:
        >>> near_hits(np.array([[.75, .74, .5]]), .02).tolist()
        [2]
    """
    scores = np.asarray(scores, np.float64)
    return (scores >= scores[:, :1] - within).sum(1)


def upper_quantile(share: Array | float) -> Array:
    """Compute the value above which a standard normal variable is with a probability.

    By Newton's steps on the logarithm of the tail; no library beyond numpy is needed to search.

    Args:
        share: Above 0, at most .5.

    Example:
        >>> upper_quantile(np.array([.5, .025])).round(3).tolist()
        [0.0, 1.96]
    """
    share = np.asarray(share, np.float64)
    value = np.sqrt(np.maximum(-2 * np.log(2 * share), 0))
    for _ in range(20):
        tail = normal_tail(value)
        density = np.exp(-value ** 2 / 2) / math.sqrt(2 * math.pi)
        value = value + (np.log(tail) - np.log(share)) * tail / density
    return value


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def normal_tail(value: Array | float) -> Array:
    """Compute the probability that a standard normal variable is above a value.

    Example:
        >>> normal_tail(np.array([0., 1.96])).round(3).tolist()
        [0.5, 0.025]
    """
    return .5 * _erfc(np.asarray(value, np.float64) / math.sqrt(2))
