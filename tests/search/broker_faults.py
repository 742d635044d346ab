"""Receivers of alarms that fail at random moments: a link to a broker, a broker, an HTTP server."""

import contextlib
import json
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from watch_rig import free_port

#: Share of the packets, or requests, that meet a fault.
SHARE = .3
PUBLISH, PUBACK = 3, 4
#: Longer than a receiver of these campaigns waits.
TOO_LATE = .35


class Chance:
    """Draws faults by a seed and counts those that were done; none once `calm` is set."""

    def __init__(self, seed, kinds):
        self.random, self.kinds = random.Random(seed), kinds
        self.counts, self.calm, self.lock = Counter(), False, threading.Lock()

    def draw(self, *possible):
        with self.lock:
            kinds = [kind for kind in self.kinds if kind in possible]
            if self.calm or not kinds or self.random.random() >= SHARE:
                return None
            kind = self.random.choice(kinds)
            self.counts[kind] += 1
            return kind

    def pause(self, low, high):
        with self.lock:
            return self.random.uniform(low, high)


# ------------------------------------------------------------------ MQTT
def read_exactly(sock, count):
    data = b''
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise OSError('closed')
        data += more
    return data


def read_packet(sock):
    """One packet of MQTT 3.1.1: its type and all of its bytes."""
    head, length, shift = read_exactly(sock, 1), 0, 0
    while True:
        head += (byte := read_exactly(sock, 1))
        length |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            break
    return head[0] >> 4, head + read_exactly(sock, length), len(head)


def publication(packet, start):
    """Packet identifier and alarm of a PUBLISH of quality of service 1."""
    topic = int.from_bytes(packet[start:start + 2], 'big')
    place = start + 2 + topic
    return packet[place:place + 2], json.loads(packet[place + 2:])['id']


class FaultyLink:
    """A link to a broker that is cut, slow, or loses what the broker acknowledges.

    Faults: ``cut`` before a packet goes on, ``slow``, ``lost`` (an acknowledgement is swallowed).

    Attributes:
        received: Ids that the broker has acknowledged to this link, in order, with repeats.
    """

    def __init__(self, broker_port, chance):
        self.broker_port, self.chance, self.received = broker_port, chance, []
        self.open = set()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    broker = socket.create_connection(('127.0.0.1', self.broker_port), 2)
                    broker.settimeout(None)
                except OSError:
                    client.close()
                    continue
                self.open |= {client, broker}
                sent = {}
                for pump in (self._publish, self._answer):
                    threading.Thread(target=self._pump, args=(pump, client, broker, sent),
                                     daemon=True).start()

    def _pump(self, pump, client, broker, sent):
        with contextlib.suppress(OSError):
            while pump(client, broker, sent):
                pass
        for sock in (client, broker):
            self.open.discard(sock)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _publish(self, client, broker, sent):
        kind, packet, start = read_packet(client)
        if kind == PUBLISH:
            number, alarm = publication(packet, start)
            sent[number] = alarm
            fault = self.chance.draw('cut', 'slow')
            if fault == 'cut':
                broker.sendall(packet[:len(packet) // 2])  # half of it is on its way
                return False
            if fault == 'slow':
                time.sleep(self.chance.pause(0, 2 * TOO_LATE))
        broker.sendall(packet)
        return True

    def _answer(self, client, broker, sent):
        kind, packet, start = read_packet(broker)
        if kind == PUBACK:
            self.received.append(sent[packet[start:start + 2]])
            fault = self.chance.draw('cut', 'slow', 'lost')
            if fault == 'slow':
                time.sleep(self.chance.pause(0, 2 * TOO_LATE))
            if fault in ('cut', 'lost'):
                return fault == 'lost'
        client.sendall(packet)
        return True

    def cut(self):
        """Cut all connections now, in whatever they are doing."""
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        self.cut()


class MortalBroker:
    """Debian's mosquitto, killed by SIGKILL and started again on the same port."""

    def __init__(self, program, folder):
        self.program, self.port = program, free_port()
        self.settings = folder / 'mosquitto.conf'
        self.settings.write_text(f'listener {self.port} 127.0.0.1\nallow_anonymous true\n')
        self.start()
        until = time.monotonic() + 20
        while not self.answers():
            assert time.monotonic() < until, 'mosquitto does not start'
            time.sleep(.02)

    def answers(self):
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return True
        return False

    def start(self):
        self.process = subprocess.Popen([self.program, '-c', self.settings],
                                        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


# ------------------------------------------------------------------ HTTP
class FaultyServer:
    """An HTTP server that refuses, is late, hangs up before or after it has taken an alarm.

    Faults: ``5xx``, ``slow`` (too late to be waited for, taken all the same), ``cut`` (before it is
    taken), ``lost`` (taken, and the answer is not sent, or half of it).

    Attributes:
        received: Ids that it has taken, in order, with repeats.
    """

    def __init__(self, chance):
        self.chance, self.received, self.port = chance, [], free_port()
        self.start()

    def start(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers['Content-Length']))
                assert json.loads(body)['id'] == self.headers['Idempotency-Key']
                outer.answer(self, json.loads(body)['id'])

            def log_message(self, *args):
                pass

        class Listening(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *args):
                pass

        self.server = Listening(('127.0.0.1', self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(.01, ), daemon=True).start()

    def answer(self, handler, alarm):
        fault = self.chance.draw('5xx', 'slow', 'cut', 'lost')
        if fault == 'cut':
            return handler.connection.shutdown(socket.SHUT_RDWR)
        if fault == '5xx':
            return handler.send_error(500 + int(self.chance.pause(0, 5)))
        if fault == 'slow':
            time.sleep(TOO_LATE)
        self.received.append(alarm)
        if fault == 'lost':
            handler.wfile.write(b'HTTP/1.1 20'[:int(self.chance.pause(0, 11))])
            return handler.connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            handler.send_response(200)
            handler.send_header('Content-Length', '0')
            handler.end_headers()
        return None

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def at_random_moments(chance, low, high, *steps):
    """Do steps one after the other, over and over, with random pauses; the last is done at the end.

    The number of rounds is counted under the name of the first step.
    """
    over = threading.Event()

    def do():
        while not over.wait(chance.pause(low, high)):
            for step in steps:
                step()
                time.sleep(chance.pause(low, high) if step is not steps[-1] else 0)
            chance.counts[steps[0].__name__] += 1

    work = threading.Thread(target=do, daemon=True)
    work.start()
    try:
        yield
    finally:
        over.set()
        work.join(30)
