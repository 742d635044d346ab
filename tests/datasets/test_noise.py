"""The permutation of noisy correspondence."""

import numpy as np
import pytest

from mmtbps.datasets.noise import noisy_order, reorder_captions


@pytest.mark.parametrize('rate', [0., 0.2, 0.5, 1.])
def test_rate_bounds_what_moves(rate):
    order = noisy_order(2000, rate, seed=0)
    assert sorted(order) == list(range(2000))
    moved = (order != np.arange(2000)).sum()
    # A random permutation fixes one point on average.
    assert rate * 2000 - 8 <= moved <= rate * 2000


@pytest.mark.parametrize('rate', [-0.1, 1.5])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match='between 0 and 1'):
        noisy_order(10, rate, seed=0)


def test_reorder_keeps_the_number_of_captions_of_each_image():
    groups = [('a', 'b', 'c'), (), ('d',), ('e', 'f')]
    order = np.array([5, 4, 3, 2, 1, 0])
    assert reorder_captions(groups, order) == [('f', 'e', 'd'), (), ('c',), ('b', 'a')]
