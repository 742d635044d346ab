"""Isolation of items that kill their process, with a fake engine."""

import pytest

from mmtbps.clusters import lost_items, work_through
from mmtbps.clusters.lost_work import ClusterError


class Engine:
    """Gives up each batch with a poisonous item, and answers in reverse order."""

    def __init__(self, *poison):
        self.poison, self.tried = poison, []

    def __call__(self, batches):
        self.tried.append([list(batch) for batch in batches.values()])
        return [(number, sum(batch)) for number, batch in reversed(batches.items())
                if not set(batch) & set(self.poison)]


def test_only_what_kills_is_lost():
    engine, lost = Engine(4, 9), []
    results = list(lost_items(work_through([[1, 2], [3, 4, 5], [8, 9]], engine), lost.append))
    assert lost == [4, 9]
    assert sorted(item for batch, _ in results for item in batch) == [1, 2, 3, 5, 8]
    assert all(result == sum(batch) for batch, result in results)
    assert engine.tried == [[[1, 2], [3, 4, 5], [8, 9]], [[3], [4], [5], [8], [9]]]


def test_nothing_is_tried_again_where_nothing_died():
    engine = Engine()
    assert sorted(work_through([[1], [2]], engine)) == [([1], 1), ([2], 2)]
    assert engine.tried == [[[1], [2]]]


def test_a_cluster_on_which_all_die_is_at_fault_and_no_item():
    with pytest.raises(ClusterError, match=r'2 items\): is there enough memory'):
        list(work_through([[1, 2]], Engine(1, 2)))
    assert list(work_through([[1]], Engine(1))) == [([1], None)]
