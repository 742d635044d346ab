"""Chance level against a simulation and a count of all orders."""

from itertools import permutations

import numpy as np
import pytest

from mmtbps.evaluation import chance_ranks


def test_it_equals_the_share_of_all_orders():
    gallery, queries = [0, 0, 1, 2, 3], [0, 1, 9]
    expected = {}
    for k in (1, 2, 3):
        hits = [any(gallery[i] == q for i in order[:k])
                for q in (0, 1) for order in permutations(range(5))]
        expected[f'R{k}'] = 100 * np.mean(hits)
    assert chance_ranks(queries, gallery, (1, 2, 3)) == pytest.approx(expected)


def test_k_beyond_the_gallery_and_nothing_to_find():
    assert chance_ranks([0], [0, 1], (10,)) == {'R10': 100.0}
    with pytest.raises(ValueError, match='positive'):
        chance_ranks([5], [0, 1])
