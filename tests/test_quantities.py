"""Numbers of settings, of Python and of numpy, and what only looks like one."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mmtbps.quantities import is_count, is_finite


@pytest.mark.parametrize('value, count, finite', [
    (1, True, True), (np.int64(7), True, True), (10**30, True, True), (0, False, True),
    (-2, False, True), (2., False, True), (np.float32(.5), False, True),
    (Fraction(1, 3), False, True), (math.nan, False, False), (math.inf, False, False),
    (np.float64('-inf'), False, False),
    (True, False, False), (np.bool_(True), False, False), ('3', False, False),
    (None, False, False), ([3], False, False), (3 + 0j, False, False)])
def test_what_is_a_number(value, count, finite):
    assert (is_count(value), is_finite(value)) == (count, finite)
