"""Receivers: a file, a server and a broker that are slow, refuse or vanish; no password is told."""

import json
import shutil
import threading

import pytest
from fakes import ColorEncoder, paint
from watch_rig import RULES, Broker, Server, free_port, lines_of, painted_gallery, wait_for

from mmtbps.errors import BadValue
from mmtbps.fileio import LockTaken
from mmtbps.search.indexing import IndexOptions
from mmtbps.search.watching import FileReceiver, NotReceived, Outbox, RuleJudge, StillSource, Watch
from mmtbps.search.watching.alarms import Alarm
from mmtbps.search.watching.receivers import Receiver
from mmtbps.search.watching.sending import Sender

MOSQUITTO = shutil.which('mosquitto', path='/usr/sbin:/usr/bin:/usr/local/sbin')


def alarm(key):
    return Alarm(key, 'red', json.dumps(dict(id=key, rule='red')))


def fill(folder, kind, *names):
    outbox = Outbox(folder)
    outbox.record([], [alarm(key) for key in names], [kind])
    return outbox


# ------------------------------------------------------------------ file
def test_a_file_has_each_alarm_once_and_no_half_line(tmp_path):
    file = tmp_path / 'alarms.jsonl'
    first = FileReceiver(file)
    first.send(alarm('a'))
    first.send(alarm('b'))
    first.send(alarm('a'))
    with pytest.raises(LockTaken):
        FileReceiver(file)
    first.close()
    with open(file, 'a') as torn:
        torn.write('{"id": "c"}')  # killed before the end of the line
    again = FileReceiver(file)
    for key in 'abc':
        again.send(alarm(key))
    again.close()
    assert [line['id'] for line in lines_of(file)] == ['a', 'b', 'c']


# ------------------------------------------------------------------ sending
class Counting(Receiver):
    """Fails so many times, then takes."""

    kind = name = 'counting'

    def __init__(self, failures):
        self.failures, self.tries, self.taken, self.closed = failures, [], [], False

    def send(self, alarm):
        self.tries.append(alarm.id)
        if len(self.tries) <= self.failures:
            raise NotReceived('counting: no')
        self.taken.append(alarm.id)

    def close(self):
        self.closed = True


def test_what_is_not_received_is_said_once_and_sent_again_before_all_others(tmp_path):
    outbox, said, receiver = fill(tmp_path, 'counting', 'a', 'b', 'c'), [], Counting(4)
    sender = Sender(tmp_path, receiver, said.append, pause=.01)
    sender.start()
    wait_for(lambda: not outbox.waiting())
    outbox.record([], [alarm('d')], ['counting'])
    sender.wake()
    wait_for(lambda: len(receiver.taken) == 4)
    sender.stop()
    assert receiver.tries == [*'aaaa', *'abcd'] and receiver.closed and not outbox.waiting()
    assert said == ['counting: no. Alarms wait on disk and are sent again',
                    'counting: receives alarms again']


def test_a_fault_of_a_receiver_is_not_taken_for_a_refusal(tmp_path):
    fill(tmp_path, 'counting', 'a')
    receiver = Counting(0)
    receiver.send = lambda alarm: 1 / 0
    sender = Sender(tmp_path, receiver, [].append)
    sender.start()
    wait_for(lambda: sender.error is not None)
    assert isinstance(sender.error, ZeroDivisionError) and receiver.closed


def test_an_alarm_that_is_on_its_way_is_acknowledged_before_the_end(tmp_path):
    outbox, receiver, on_its_way = fill(tmp_path, 'counting', 'a', 'b'), Counting(0), (
        threading.Event())
    go, take = threading.Event(), receiver.send

    def slow(alarm):
        on_its_way.set()
        assert go.wait(20)
        take(alarm)

    receiver.send = slow
    sender = Sender(tmp_path, receiver, [].append)
    sender.start()
    assert on_its_way.wait(20)
    threading.Timer(.1, go.set).start()
    sender.stop(20)
    assert receiver.taken == ['a'] and outbox.waiting() == dict(counting=1)


def test_a_program_error_of_a_sender_ends_the_watch(tmp_path):
    gallery, images = painted_gallery(tmp_path)
    receiver = Counting(0)
    receiver.send = lambda alarm: 1 / 0
    encoder = ColorEncoder()
    source = StillSource(images, gallery, encoder, print, options=IndexOptions(progress=False))
    paint('red').save(images / 'new.png')
    watch = Watch(source, gallery, RuleJudge(RULES, gallery, encoder), Outbox(tmp_path / 'state'),
                  [receiver], print)
    with pytest.raises(ZeroDivisionError):
        watch.run()


# ------------------------------------------------------------------ webhook
@pytest.fixture
def server():
    pytest.importorskip('httpx')
    opened = Server()
    yield opened
    opened.close()


def webhook(address, **options):
    from mmtbps.search.watching.webhook import WebhookReceiver
    return WebhookReceiver(address, **options)


def test_a_webhook_gets_the_line_with_its_id_and_what_the_environment_names(server, monkeypatch):
    receiver = webhook(server.url.replace('http://', 'http://me@'))
    receiver.send(alarm('a'))
    monkeypatch.setenv('MMTBPS_WEBHOOK_TOKEN', 'a token')
    webhook(server.url).send(alarm('b'))
    assert server.bodies == [dict(id='a', rule='red'), dict(id='b', rule='red')]
    assert [head['Idempotency-Key'] for head in server.headers] == ['a', 'b']
    assert server.headers[0]['Authorization'] == 'Basic bWU6'  # me, without a password
    assert server.headers[1]['Authorization'] == 'Bearer a token'


@pytest.mark.parametrize('answer', [500, 404, 302])
def test_any_other_answer_is_no_receipt(server, answer):
    server.answer = answer
    with pytest.raises(NotReceived, match=f'answered {answer}') as error:
        webhook(server.url).send(alarm('a'))
    assert 'secret-path' not in str(error.value)


def test_a_server_that_is_slow_or_gone_has_not_received(server):
    server.delay = 2.
    with pytest.raises(NotReceived, match='ReadTimeout'):
        webhook(server.url, timeout=.1).send(alarm('a'))
    with pytest.raises(NotReceived, match='ConnectError') as error:
        webhook(f'http://127.0.0.1:{free_port()}/secret-path').send(alarm('a'))
    assert 'secret-path' not in str(error.value)


def test_alarms_wait_for_a_server_and_come_in_order(tmp_path, server):
    outbox, said = fill(tmp_path, 'webhook', *'abc'), []
    server.answer = 500
    sender = Sender(tmp_path, webhook(server.url), said.append, pause=.01)
    sender.start()
    wait_for(lambda: len(server.headers) > 3)
    assert outbox.waiting() == dict(webhook=3) and len(said) == 1
    server.answer = 200
    wait_for(lambda: not outbox.waiting())
    sender.stop()
    assert server.ids == ['a', 'b', 'c'] and len(said) == 2


def test_alarms_wait_for_a_server_that_vanishes_and_comes_back(tmp_path, server):
    outbox, said, port = fill(tmp_path, 'webhook', 'a'), [], server.port
    sender = Sender(tmp_path, webhook(server.url), said.append, pause=.01)
    sender.start()
    wait_for(lambda: server.ids == ['a'] and not outbox.waiting())
    server.close()
    sender.receiver.close()  # as a server does that ends; httpx keeps the connection otherwise
    sender.receiver._client = webhook(server.url)._client
    outbox.record([], [alarm('b'), alarm('c')], ['webhook'])
    sender.wake()
    wait_for(lambda: said)
    again = Server(port)
    wait_for(lambda: not outbox.waiting())
    sender.stop()
    assert again.ids == ['b', 'c']
    again.close()


# ------------------------------------------------------------------ MQTT
@pytest.fixture
def broker(tmp_path):
    pytest.importorskip('paho.mqtt.client')
    if MOSQUITTO is None:
        pytest.skip('mosquitto is not installed')
    opened = Broker(MOSQUITTO, tmp_path)
    opened.start()
    yield opened
    opened.stop()


def mqtt(address, **options):
    from mmtbps.search.watching.mqtt import MqttReceiver
    return MqttReceiver(address, **options)


def test_alarms_wait_for_a_broker_that_is_gone_and_come_in_order(tmp_path, broker):
    outbox, said = fill(tmp_path / 'state', 'mqtt', *'ab'), []
    sender = Sender(tmp_path / 'state', mqtt(broker.url), said.append, pause=.05)
    sender.start()
    wait_for(lambda: not outbox.waiting())
    broker.drain()
    broker.stop()
    outbox.record([], [alarm(key) for key in 'cde'], ['mqtt'])
    sender.wake()
    wait_for(lambda: said)
    assert outbox.waiting() == dict(mqtt=3)
    broker.start()
    wait_for(lambda: not outbox.waiting())
    broker.drain()
    sender.stop()
    assert broker.ids == [*'abcde'] and len(said) == 2


def test_a_broker_that_was_never_there_has_not_received():
    pytest.importorskip('paho.mqtt.client')
    receiver = mqtt(f'mqtt://127.0.0.1:{free_port()}/alarms', timeout=2.)
    with pytest.raises(NotReceived, match='mqtt 127.0.0.1'):
        receiver.send(alarm('a'))


def test_a_broker_that_refuses_a_user_is_named(tmp_path, monkeypatch):
    pytest.importorskip('paho.mqtt.client')
    if MOSQUITTO is None:
        pytest.skip('mosquitto is not installed')
    broker = Broker(MOSQUITTO, tmp_path)
    broker.settings.write_text(f'listener {broker.port} 127.0.0.1\nallow_anonymous false\n')
    broker.subscribe = lambda: None
    broker.subscriber = type('None', (), dict(loop_stop=lambda self: None))()
    broker.start()
    monkeypatch.setenv('MMTBPS_MQTT_PASSWORD', 'a secret')
    with pytest.raises(NotReceived, match='(?i)not authori[sz]ed') as error:
        mqtt(broker.url.replace('mqtt://', 'mqtt://me@')).send(alarm('a'))
    assert 'a secret' not in str(error.value)
    broker.stop()


# ------------------------------------------------------------------ addresses
@pytest.mark.parametrize('make, address, said', [
    (webhook, 'http://me:secret@host/x', 'set MMTBPS_WEBHOOK_PASSWORD in the environment'),
    (mqtt, 'mqtt://me:secret@host/x', 'set MMTBPS_MQTT_PASSWORD in the environment'),
    (webhook, 'ftp://host/x', 'an address is http://host/'),
    (webhook, 'host', 'an address is http://host/'),
    (webhook, 'http://host:port/x', '--webhook: no address'),
    (mqtt, 'mqtt://host', 'needs a topic'),
    (mqtt, 'mqtt://host/all/%23', 'needs a topic'),
])
def test_an_address_that_is_none_is_refused_and_no_password_repeated(make, address, said):
    with pytest.raises(BadValue) as error:
        make(address)
    assert said in str(error.value) and 'secret' not in str(error.value)
