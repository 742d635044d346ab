"""A watch whose broker and server fail at random: no alarm is lost, none has a second id."""

import contextlib
import functools
import shutil
import time
from collections import Counter

import pytest
from broker_faults import Chance, FaultyLink, FaultyServer, MortalBroker, at_random_moments
from watch_rig import PICTURES, lines_of, paint_couples, to_file, watch_arrivals

from mmtbps.search.watching import Outbox

MOSQUITTO = shutil.which('mosquitto', path='/usr/sbin:/usr/bin:/usr/local/sbin')
RUNS = 20
#: Seconds that a receiver waits for an answer; ten where nobody says otherwise.
WAITS = .25


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    return paint_couples(tmp_path_factory.mktemp('store') / 'store')


@pytest.fixture(scope='module')
def undisturbed(store, tmp_path_factory):
    root = tmp_path_factory.mktemp('undisturbed')
    shutil.copytree(store, root / 'store')
    watch_arrivals(root, to_file)
    ids = [line['id'] for line in lines_of(root / 'alarms.jsonl')]
    assert len(ids) == len(set(ids)) == PICTURES
    return ids


@pytest.fixture
def broker(tmp_path):
    pytest.importorskip('paho.mqtt.client')
    if MOSQUITTO is None:
        pytest.skip('mosquitto is not installed')
    started = MortalBroker(MOSQUITTO, tmp_path)
    yield started
    started.kill()


def by_mqtt(port, root):
    from mmtbps.search.watching.mqtt import MqttReceiver
    return [MqttReceiver(f'mqtt://127.0.0.1:{port}/alarms/lobby', timeout=WAITS)]


def by_webhook(port, root):
    from mmtbps.search.watching.webhook import WebhookReceiver
    return [WebhookReceiver(f'http://127.0.0.1:{port}/alarms', timeout=WAITS)]


def watch_through(root, store, make, kind, chance):
    """Watch to the end, begin again while alarms wait, and once more in peace."""
    shutil.copytree(store, root / 'store')
    watch_arrivals(root, make)
    until = time.monotonic() + 120
    while Outbox(root / 'state').waiting().get(kind):
        assert time.monotonic() < until, 'alarms wait for ever'
        watch_arrivals(root, make)
    chance.calm = True


def check(received, undisturbed):
    """All came, in order, and what came again is what had come; return how many did."""
    assert list(dict.fromkeys(received)) == undisturbed
    return len(received) - len(undisturbed)


def run_with_link(root, store, undisturbed, broker, seed, kinds, kill):
    chance = Chance(seed, kinds)
    link = FaultyLink(broker.port, chance)
    make = functools.partial(by_mqtt, link.port)
    steps = (broker.kill, broker.start) if kill else (link.cut, )
    with at_random_moments(chance, .05, .4, *steps):
        watch_through(root, store, make, 'mqtt', chance)
    again = check(link.received, undisturbed)
    watch_arrivals(root, make)
    assert check(link.received, undisturbed) == again  # nothing is sent when all is over
    link.close()
    return chance.counts + Counter(again=again)


def run_with_server(root, store, undisturbed, seed, kinds, vanishes=True):
    chance = Chance(seed, kinds)
    server = FaultyServer(chance)
    make = functools.partial(by_webhook, server.port)
    with at_random_moments(chance, .05, .4, server.stop, server.start) if vanishes else (
            contextlib.nullcontext()):
        watch_through(root, store, make, 'webhook', chance)
    time.sleep(2 * WAITS)  # an answer that is too late has been taken by then
    again = check(server.received, undisturbed)
    watch_arrivals(root, make)
    assert check(server.received, undisturbed) == again
    server.stop()
    return chance.counts + Counter(again=again)


def campaign(tmp_path, name, run):
    """Run with twenty seeds; print what was done, for docs/reliability.md."""
    counts, start = Counter(), time.monotonic()
    for seed in range(RUNS):
        root = tmp_path / str(seed)
        root.mkdir()
        counts += run(root, seed)
        shutil.rmtree(root)
    print(f'\n{name}: {RUNS} runs, {RUNS * PICTURES} alarms, {dict(counts)}, '
          f'{time.monotonic() - start:.0f} s')
    return counts


def test_one_run_with_a_server_that_fails(tmp_path, store, undisturbed):
    pytest.importorskip('httpx')
    counts = run_with_server(tmp_path, store, undisturbed, 1, ('5xx', 'cut', 'lost'), False)
    assert sum(counts.values()) > counts['again']


def test_one_run_with_a_broker_that_fails(tmp_path, store, undisturbed, broker):
    counts = run_with_link(tmp_path, store, undisturbed, broker, 1, ('cut', 'slow', 'lost'), False)
    assert sum(counts.values()) > counts['again']


@pytest.mark.slow
def test_twenty_runs_with_a_link_to_a_broker_that_fails(tmp_path, store, undisturbed, broker):
    counts = campaign(tmp_path, 'link', lambda root, seed: run_with_link(
        root, store, undisturbed, broker, seed, ('cut', 'slow', 'lost'), False))
    assert all(counts[kind] for kind in ('cut', 'slow', 'lost', 'again'))


@pytest.mark.slow
def test_twenty_runs_with_a_broker_that_is_killed(tmp_path, store, undisturbed, broker):
    counts = campaign(tmp_path, 'broker', lambda root, seed: run_with_link(
        root, store, undisturbed, broker, seed, ('slow', 'lost'), True))
    assert counts['kill'] > RUNS and counts['again']


@pytest.mark.slow
def test_twenty_runs_with_a_server_that_fails(tmp_path, store, undisturbed):
    pytest.importorskip('httpx')
    counts = campaign(tmp_path, 'server', lambda root, seed: run_with_server(
        root, store, undisturbed, seed, ('5xx', 'slow', 'cut', 'lost')))
    assert all(counts[kind] for kind in ('5xx', 'slow', 'cut', 'lost', 'stop', 'again'))


def test_the_check_can_fail():
    assert check([*'aab'], [*'ab']) == 1
    for wrong in ([*'a'], [*'ba'], [*'abc']):
        with pytest.raises(AssertionError):
            check(wrong, [*'ab'])
