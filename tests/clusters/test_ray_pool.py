"""A pool of actors of the real Ray."""

import signal
import sys

import pytest
from ray_rig import on_ray

from mmtbps.clusters import RayPool, check_ray
from mmtbps.errors import BadValue, MissingPackage


@pytest.mark.slow
def test_what_ends_its_process_is_tried_three_times_alone(tmp_path):
    results, _ = on_ray('ray_work', 'add_with_poison', tmp_path)
    assert sorted(results) == [[[1, 2], 3], [[3], 3], [[5, 6], 11], [[13], None]]
    tries = [path.name.partition('-')[0] for path in tmp_path.iterdir()]
    assert {name: tries.count(name) for name in set(tries)} == {
        '[1, 2]': 1, '[5, 6]': 1, '[3, 13]': 3, '[3]': 1, '[13]': 3}


@pytest.mark.slow
def test_an_error_of_the_work_is_raised_as_it_is(tmp_path):
    answer, _ = on_ray('ray_work', 'add_refused', tmp_path)
    assert answer == '99 is refused'


def test_ray_missing_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    monkeypatch.delitem(sys.modules, 'ray.data', raising=False)
    with pytest.raises(MissingPackage, match=r'needs Ray: pip install "mmtbps\[ray\]"'):
        check_ray()


@pytest.fixture
def fake_ray(monkeypatch):
    """A module in the place of Ray."""
    for name in ('ray', 'ray.data'):
        monkeypatch.setitem(sys.modules, name, type(sys)(name))
    sys.modules['ray'].data = sys.modules['ray.data']
    return sys.modules['ray']


def test_the_handler_of_a_signal_stays_ours(fake_ray, monkeypatch):
    def init(*_, **__):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    fake_ray.init, fake_ray.shutdown = init, lambda: None
    fake_ray.nodes = lambda: [dict(Alive=True, Resources=dict(CPU=4.))]
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    ours = signal.getsignal(signal.SIGTERM)
    try:
        with RayPool() as pool:
            assert (pool.actors, signal.getsignal(signal.SIGTERM)) == (3, ours)
    finally:
        signal.signal(signal.SIGTERM, ours)


def test_the_address_of_a_client_is_refused(fake_ray):
    check_ray('10.0.0.5:6379')
    with pytest.raises(BadValue, match='HOST:PORT'):
        check_ray('ray://10.0.0.5:10001')
