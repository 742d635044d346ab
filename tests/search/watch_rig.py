"""Watches in processes of their own that are killed at a step, and servers that receive alarms."""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fakes import ColorEncoder, paint
from indexing_rig import Halves, couple

from mmtbps.search.galleries.base import BaseGallery
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import DetectionOptions, IndexOptions
from mmtbps.search.watching import (
    FileReceiver,
    Outbox,
    Rule,
    RuleJudge,
    StillSource,
    Watch,
)

RULES = [Rule('red', 'all in red', 'min_score', .95), Rule('blue', 'all in blue', 'min_score', .95)]
STEPS = ('detect', 'index', 'match', 'queue', 'send', 'acknowledge')
#: Alternately a red and a blue person beside a green one.
PICTURES = 12


class Alone(Halves):
    """Looks at one picture at a time."""

    batch_size = 1


class Arrivals(StillSource):
    """A folder into which a picture comes before each look; after four, when nobody holds it."""

    def __init__(self, store, path, *others, **named):
        Path(path).mkdir(exist_ok=True)
        super().__init__(path, *others, **named)
        self.store = store

    def looks(self, stop):
        yield
        for file in sorted(self.store.iterdir()):
            while file.name == '04.png' and (self.store.parent / 'hold').exists():
                stop.wait(.01)
            if stop.is_set():
                return
            if not (self.path / file.name).exists():
                shutil.copy2(file, self.path / f'.{file.name}')
                os.replace(self.path / f'.{file.name}', self.path / file.name)
                yield


def paint_couples(folder, count=PICTURES):
    folder.mkdir()
    for number in range(count):
        couple(('red', 'blue')[number % 2], 'green').save(folder / f'{number:02}.png')
    for file in folder.iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return folder


class Kill:
    """Kills the process before or after the n-th call of a step."""

    def __init__(self, step, after, call):
        self.step, self.after, self.left = step, after, call

    def wrap(self, owner, name):
        inner = getattr(owner, name)

        def step(*args, **named):
            self.left -= 1
            if self.left == 0 and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = inner(*args, **named)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(owner, name, step)

    def arm(self, receiver):
        self.wrap(*dict(
            detect=(Alone, '__call__'), index=(BaseGallery, 'upsert'), match=(Watch, 'match'),
            queue=(Outbox, 'record'), send=(type(receiver), 'send'),
            acknowledge=(Outbox, 'acknowledge'))[self.step])


def watch_arrivals(root, make_receivers, kill=None, rules=RULES):
    """Watch `root/store` come into `root/crops`, with all that lasts below `root`."""
    encoder = ColorEncoder()
    gallery = open_gallery(root / 'people', encoder.fingerprint)
    outbox = Outbox(root / 'state')
    receivers = make_receivers(root)

    def notify(line):
        with open(root / 'said.txt', 'a') as said:
            said.write(f'{line}\n')

    source = Arrivals(root / 'store', root / 'crops', gallery, encoder, notify,
                      detection=DetectionOptions(Alone()),
                      options=IndexOptions(progress=False, batch_size=2, commit_every=1))
    watch = Watch(source, gallery, RuleJudge(rules, gallery, encoder), outbox, receivers, notify,
                  pause=.02)
    if kill is not None:
        kill.arm(receivers[0])
    watch.run()


def to_file(root):
    return [FileReceiver(root / 'alarms.jsonl')]


def in_process(function, *args):
    """Run a function in a fork; return its exit code, or minus the signal that ended it."""
    process = multiprocessing.get_context('fork').Process(target=function, args=args)
    process.start()
    process.join(120)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError('it has not ended')
    return process.exitcode


def lines_of(path):
    """Whole lines of a file that may not be there yet."""
    path = Path(path)
    text = path.read_text() if path.exists() else ''
    return [json.loads(line) for line in text.split('\n')[:-1]]


# ------------------------------------------------------------------ HTTP
class Server:
    """An HTTP server that notes what comes, and answers with a status after some seconds."""

    def __init__(self, port=0):
        self.bodies, self.headers, self.answer, self.delay = [], [], 200, 0.
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers['Content-Length']))
                time.sleep(outer.delay)
                answer = outer.answer
                outer.headers.append(dict(self.headers))
                if answer == 200:
                    outer.bodies.append(json.loads(body))
                with contextlib.suppress(OSError):
                    self.send_response(answer)
                    self.send_header('Content-Length', '0')
                    self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.port = self.server.server_port
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(.02, ), daemon=True)
        self.thread.start()

    @property
    def ids(self):
        return [body['id'] for body in self.bodies]

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}/alarms/secret-path'

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# ------------------------------------------------------------------ MQTT
def free_port():
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]


class Broker:
    """Debian's mosquitto on a port of its own, and a subscriber that notes what comes."""

    def __init__(self, program, folder, port=None):
        self.program, self.port, self.process = program, port or free_port(), None
        self.settings = folder / 'mosquitto.conf'
        self.settings.write_text(f'listener {self.port} 127.0.0.1\nallow_anonymous true\n')
        self.ids = []

    def start(self):
        self.process = subprocess.Popen([self.program, '-c', self.settings],
                                        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return self.subscribe()
            time.sleep(.02)
        raise AssertionError('mosquitto does not start')

    def subscribe(self):
        import paho.mqtt.client as paho
        ready = threading.Event()
        self.subscriber = paho.Client(paho.CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self.subscriber.on_message = lambda client, data, message: self.ids.append(
            json.loads(message.payload)['id'])
        self.subscriber.on_subscribe = lambda *args: ready.set()
        self.subscriber.connect('127.0.0.1', self.port)
        self.subscriber.subscribe('alarms/lobby', qos=1)
        self.subscriber.loop_start()
        assert ready.wait(20)

    def drain(self):
        """Wait for a message of its own, which comes behind all others."""
        self.subscriber.publish('alarms/lobby', json.dumps(dict(id='last')), qos=1)
        wait_for(lambda: 'last' in self.ids)
        self.ids.remove('last')

    @property
    def url(self):
        return f'mqtt://127.0.0.1:{self.port}/alarms/lobby'

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.subscriber.loop_stop()
            self.process = None


def wait_for(condition, seconds=30):
    """Wait until something holds; there is no other way to see what a thread does."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, 'it never came to that'
        time.sleep(.01)


def painted_gallery(root, *colors):
    """A gallery of whole pictures of one colour each, and its images' folder."""
    from indexing_rig import index
    images = root / 'images'
    images.mkdir()
    for number, color in enumerate(colors):
        paint(color).save(images / f'{number:02}-{color}.png')
    gallery = open_gallery(root / 'people', ColorEncoder.fingerprint)
    if colors:
        index(images, gallery)
    return gallery, images


