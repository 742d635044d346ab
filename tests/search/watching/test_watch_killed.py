"""A watch that is killed between any two steps: no alarm is lost, none has a second id."""

import json
import multiprocessing
import os
import shutil
import signal
import sys

import pytest
from watch_rig import (
    PICTURES,
    STEPS,
    Broker,
    Kill,
    Server,
    in_process,
    lines_of,
    paint_couples,
    to_file,
    wait_for,
    watch_arrivals,
)

from mmtbps.commands.process.exit_codes import ExitCode
from mmtbps.commands.process.stop_signals import StopSignals, Terminated

#: 20 kills of each step: before and after the first ten calls.
MOMENTS = [(after, call) for call in range(1, 11) for after in (False, True)]


@pytest.fixture(scope='module')
def store(tmp_path_factory):
    return paint_couples(tmp_path_factory.mktemp('store') / 'store')


@pytest.fixture(scope='module')
def undisturbed(store, tmp_path_factory):
    """Ids of an uninterrupted watch, in order."""
    root = tmp_path_factory.mktemp('undisturbed')
    shutil.copytree(store, root / 'store')
    assert in_process(watch_arrivals, root, to_file) == 0
    ids = [line['id'] for line in lines_of(root / 'alarms.jsonl')]
    assert len(ids) == len(set(ids)) == PICTURES
    return ids


def killed_and_resumed(root, store, make_receivers, step, after, call):
    """Kill at a step, go on to the end, and start once more, which has nothing to do."""
    shutil.copytree(store, root / 'store')
    killed = in_process(watch_arrivals, root, make_receivers, Kill(step, after, call))
    assert killed == -signal.SIGKILL, f'it ended with {killed} before the step came'
    assert in_process(watch_arrivals, root, make_receivers) == 0


@pytest.mark.parametrize('step', STEPS)
def test_a_kill_loses_no_alarm_and_the_file_has_each_once(tmp_path, store, undisturbed, step):
    killed_and_resumed(tmp_path, store, to_file, step, step in ('index', 'queue', 'send'), 4)
    before = (tmp_path / 'alarms.jsonl').read_bytes()
    assert [line['id'] for line in lines_of(tmp_path / 'alarms.jsonl')] == undisturbed
    assert in_process(watch_arrivals, tmp_path, to_file) == 0
    assert (tmp_path / 'alarms.jsonl').read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize('step', STEPS)
def test_twenty_kills_of_each_step_with_a_file(tmp_path, store, undisturbed, step):
    for place, moment in enumerate(MOMENTS):
        root = tmp_path / str(place)
        root.mkdir()
        killed_and_resumed(root, store, to_file, step, *moment)
        assert [line['id'] for line in lines_of(root / 'alarms.jsonl')] == undisturbed
        shutil.rmtree(root)


def to_server(port):
    def make(root):
        from mmtbps.search.watching.webhook import WebhookReceiver
        return [WebhookReceiver(f'http://127.0.0.1:{port}/alarms')]
    return make


def to_broker(port):
    def make(root):
        from mmtbps.search.watching.mqtt import MqttReceiver
        return [MqttReceiver(f'mqtt://127.0.0.1:{port}/alarms/lobby')]
    return make


def check_repeats(received, undisturbed, step, after):
    """All are there in order, and at most the one in flight comes twice, with its id."""
    first = list(dict.fromkeys(received))
    assert first == undisturbed
    sent_unnoted = (step, after) in (('send', True), ('acknowledge', False))
    # A kill of another step may also find the thread that sends between these two.
    assert sent_unnoted <= len(received) - len(first) <= 1


@pytest.mark.slow
@pytest.mark.parametrize('step', STEPS)
def test_twenty_kills_of_each_step_with_a_webhook(tmp_path, store, undisturbed, step):
    pytest.importorskip('httpx')
    for place, (after, call) in enumerate(MOMENTS):
        root, server = tmp_path / str(place), Server()
        root.mkdir()
        killed_and_resumed(root, store, to_server(server.port), step, after, call)
        check_repeats(server.ids, undisturbed, step, after)
        assert in_process(watch_arrivals, root, to_server(server.port)) == 0
        check_repeats(server.ids, undisturbed, step, after)
        server.close()
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.parametrize('step', STEPS)
def test_twenty_kills_of_each_step_with_a_broker(tmp_path, store, undisturbed, step):
    pytest.importorskip('paho.mqtt.client')
    program = shutil.which('mosquitto', path='/usr/sbin:/usr/bin:/usr/local/sbin')
    if program is None:
        pytest.skip('mosquitto is not installed')
    broker = Broker(program, tmp_path)
    broker.start()
    try:
        for place, (after, call) in enumerate(MOMENTS):
            root = tmp_path / str(place)
            root.mkdir()
            broker.ids.clear()
            killed_and_resumed(root, store, to_broker(broker.port), step, after, call)
            broker.drain()
            check_repeats(broker.ids, undisturbed, step, after)
            shutil.rmtree(root)
    finally:
        broker.stop()


def until_stopped(root, make_receivers):
    """A watch as a command runs it: Ctrl-C and SIGTERM are exceptions of the main thread."""
    with StopSignals():
        try:
            watch_arrivals(root, make_receivers)
        except (KeyboardInterrupt, Terminated):
            sys.exit(ExitCode.TERMINATED)


def stopped_and_resumed(root, store, server, signal_number, received):
    shutil.copytree(store, root / 'store')
    server.delay = .02  # something is on its way
    process = multiprocessing.get_context('fork').Process(
        target=until_stopped, args=(root, to_server(server.port)))
    process.start()
    wait_for(lambda: len(server.ids) >= received or not process.is_alive())
    os.kill(process.pid, signal_number)
    process.join(60)
    assert process.exitcode == ExitCode.TERMINATED
    assert in_process(watch_arrivals, root, to_server(server.port)) == 0


def test_after_an_orderly_stop_nothing_comes_twice(tmp_path, store, undisturbed):
    pytest.importorskip('httpx')
    server = Server()
    stopped_and_resumed(tmp_path, store, server, signal.SIGTERM, 4)
    assert server.ids == undisturbed
    server.close()


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_after_ten_orderly_stops_nothing_comes_twice(tmp_path, store, undisturbed, number):
    pytest.importorskip('httpx')
    for received in range(1, 11):
        root, server = tmp_path / str(received), Server()
        root.mkdir()
        stopped_and_resumed(root, store, server, number, received)
        assert server.ids == undisturbed
        server.close()


def test_the_check_of_repeats_can_fail():
    check_repeats(['a', 'b'], ['a', 'b'], 'queue', True)
    check_repeats(['a', 'a', 'b'], ['a', 'b'], 'acknowledge', False)
    for wrong in (['a'], ['b', 'a'], ['a', 'a', 'a', 'b'], ['a', 'a', 'b', 'b']):
        with pytest.raises(AssertionError):
            check_repeats(wrong, ['a', 'b'], 'queue', True)
    with pytest.raises(AssertionError):
        check_repeats(['a', 'b'], ['a', 'b'], 'send', True)


def test_alarms_of_an_undisturbed_watch_say_what_was_found(store, undisturbed, tmp_path):
    shutil.copytree(store, tmp_path / 'store')
    assert in_process(watch_arrivals, tmp_path, to_file) == 0
    first, second = lines_of(tmp_path / 'alarms.jsonl')[:2]
    assert (first['rule'], first['sentence']) == ('red', 'all in red')
    assert first['picture'] == str(tmp_path / 'crops/00.png') and first['box'] == [0, 0, 16, 16]
    assert first['score'] > .95 and first['probability'] is None
    assert first['basis'] == 'not calibrated' and second['rule'] == 'blue'
    assert json.dumps(first)
