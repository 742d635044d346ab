"""Numbers of settings: what is a count, and what a finite number."""

import math
from numbers import Integral, Real
from typing import Any

__all__ = ['is_count', 'is_finite']


def is_count(value: Any) -> bool:
    """Tell whether a value is a whole number from 1.

    Example:
        >>> is_count(3), is_count(2.5), is_count(0), is_count(True)
        (True, False, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def is_finite(value: Any) -> bool:
    """Tell whether a value is a number, and neither NaN nor infinite.

    Example:
        >>> is_finite(-.5), is_finite(float('nan')), is_finite('1'), is_finite(True)
        (True, False, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
