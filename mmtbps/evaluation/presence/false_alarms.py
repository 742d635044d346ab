"""Rates of false alarms: the bound that a rate asks for, and the rate that was met."""

import math

import numpy as np

from mmtbps.errors import BadValue

from .best_of import StrangerLaw

__all__ = ['FEWEST_STRANGERS', 'evidence_at_rate', 'rate_interval']

#: The law of the best stranger is not known for fewer.
FEWEST_STRANGERS = 8
_WIDE, _STEPS = 12., 100


def evidence_at_rate(law: StrangerLaw, rate: float) -> float:
    r"""Compute the evidence that at most a share of all strangers reaches.

    The law of the best of N strangers is known, so that of one follows where it matters: the best
    of :math:`N = 1 / r` stays below the bound with probability :math:`(1 - r)^N`, about 37 %, in
    the middle of what a calibration has seen, and not in a tail.

    Args:
        law: Of a calibration.
        rate: Share of the people who are not meant and raise an alarm, such as 0.001.

    Raises:
        BadValue: The rate is not between 0 and 1.

    Example:
        >>> from .best_of import PowerLaw
        >>> law = StrangerLaw(PowerLaw(3., 4., .3), PowerLaw(.5, 0., 1.))
        >>> evidence_at_rate(law, .001) > evidence_at_rate(law, .01)
        True
    """
    if not 0 < rate < 1:
        raise BadValue(f'a rate of false alarms is between 0 and 1, got {rate}')
    size = max(1 / rate, FEWEST_STRANGERS)
    best, wanted = law.of(size), size * math.log1p(-rate)
    low, high = (best.mode - _WIDE * best.left, best.mode + _WIDE * best.right)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if float(best.log_distribution(np.float64(middle))) < wanted:
            low = middle
        else:
            high = middle
    return float(high)


def rate_interval(count: int, total: int) -> tuple[float, float]:
    """Compute the interval of Wilson that holds a share in 95 of 100 cases.

    Args:
        count: Of those that count.
        total: Of all, at least one.

    Raises:
        BadValue: More count than there are, or there are none.

    Example:
        >>> low, high = rate_interval(1, 1000)
        >>> round(low, 5), round(high, 5)
        (0.00018, 0.00564)
    """
    if not 0 <= count <= total or total < 1:
        raise BadValue(f'{count} of {total} is no share')
    z = 1.959963984540054
    share, square = count / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    around = z / (1 + square) * math.sqrt(share * (1 - share) / total + square / total / 4)
    return max(middle - around, 0.), min(middle + around, 1.)
