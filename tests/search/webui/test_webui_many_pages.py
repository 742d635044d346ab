"""Two pages on one gallery behind Debian's HAProxy, with the file of ``deploy/``: one is killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from fakes import ColorEncoder, paint
from webui_rig import PEOPLE, fill, free_port

from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.factory import open_gallery

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / 'deploy/haproxy.cfg'


def config_at(port, pages):
    """The file as it is, with places of this machine in place of the names of machines."""
    text = CONFIG.read_text('utf-8')
    text, bound = re.subn(r'bind :8080', f'bind 127.0.0.1:{port}', text)
    for name, place in pages.items():
        text, count = re.subn(rf'page-{name}:7860', f'127.0.0.1:{place}', text)
        bound += count
    assert bound == 3
    return text


def wait_for(ready, seconds=120):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, 'not ready in time'
        time.sleep(.2)


def answers(url, wanted=200):
    try:
        with urlopen(url, timeout=5) as reply:
            return reply.status == wanted
    except HTTPError as error:
        return error.code == wanted
    except (URLError, OSError):
        return False


class Visitor(threading.Thread):
    """Asks and asks; after an error it opens the page anew, as a visitor does."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.ended = url, threading.Event()
        self.answers, self.errors, self.last = Counter(), [], 0.

    def run(self):
        from gradio_client import Client
        client = None
        while not self.ended.is_set():
            try:
                client = client or Client(self.url, verbose=False)
                hits = client.predict(text='green over white', topk=1, api_name='/search')
                self.answers[hits[0]['id']] += 1
                self.last = time.monotonic()
            except Exception as error:  # of any kind: the connection was cut
                self.errors.append(f'{type(error).__name__}: {error}')
                client = None
                time.sleep(.2)


@pytest.fixture
def site(tmp_path):
    """URL of the proxy, the two pages, the gallery's address and the images' folder."""
    pytest.importorskip('gradio')
    if (haproxy := shutil.which('haproxy', path=f'{os.environ["PATH"]}:/usr/sbin')) is None:
        pytest.skip('haproxy is not installed: apt-get install haproxy')
    images, uri = tmp_path / 'images', tmp_path / 'gallery'
    fill(images, uri)
    ports, port = {name: free_port() for name in 'ab'}, free_port()
    path = os.pathsep.join([str(Path(__file__).parent.parent), str(ROOT),
                            os.environ.get('PYTHONPATH', '')])
    with ExitStack() as stack:
        def start(*words):
            process = subprocess.Popen(words, env=dict(os.environ, PYTHONPATH=path),
                                       stdout=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        script = Path(__file__).parent.parent / 'page_process.py'
        pages = {name: start(sys.executable, script, uri, images, str(place))
                 for name, place in ports.items()}
        (tmp_path / 'haproxy.cfg').write_text(config_at(port, ports))
        for place in ports.values():
            wait_for(lambda place=place: answers(f'http://127.0.0.1:{place}/readyz'))
        start(haproxy, '-db', '-f', tmp_path / 'haproxy.cfg')
        wait_for(lambda: answers(f'http://127.0.0.1:{port}/config'))
        yield f'http://127.0.0.1:{port}', pages, ports, uri, images


def test_a_page_is_killed_under_load_and_its_visitors_go_on_at_the_other(site):
    url, pages, ports, uri, images = site
    visitors = [Visitor(url) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    wait_for(lambda: all(sum(visitor.answers.values()) >= 5 for visitor in visitors))
    before = [list(visitor.errors) for visitor in visitors]
    assert before == [[]] * 4  # a cookie ties each to one page: without it the first would hang

    os.kill(pages['a'].pid, signal.SIGKILL)
    killed = time.monotonic()
    assert not answers(f'http://127.0.0.1:{ports["a"]}/healthz')
    wait_for(lambda: all(visitor.last > killed + 3 for visitor in visitors), 60)
    seen = [sum(visitor.answers.values()) for visitor in visitors]
    wait_for(lambda: all(sum(visitor.answers.values()) >= count + 5
                         for visitor, count in zip(visitors, seen, strict=True)))
    for visitor in visitors:
        visitor.ended.set()
    for visitor in visitors:
        visitor.join(30)
    assert {*sum((visitor.answers for visitor in visitors), Counter())} == {'green-white'}
    # Only questions that were on their way to the killed page, or met it before a check did, fail.
    assert all(len(visitor.errors) <= 15 for visitor in visitors)
    assert pages['b'].poll() is None

    # What is added now is seen at the page that is left, as what another process adds.
    gallery = open_gallery(uri, ColorEncoder.fingerprint)
    paint('purple').save(images / 'crops/purple.png')
    gallery.upsert([GalleryEntry('new', 'crops/purple.png')],
                   ColorEncoder().encode_images([paint('purple')]))
    from gradio_client import Client
    hits = Client(url, verbose=False).predict(text='all in purple', topk=1, api_name='/search')
    assert hits[0]['id'] == 'new' and len(PEOPLE) + 1 == gallery.count()


def test_a_page_whose_images_are_gone_gets_no_visitors(site):
    url, pages, ports, uri, images = site
    images.rename(images.with_name('away'))
    wait_for(lambda: answers(f'{url}/config', 503), 30)  # HAProxy's own: no page is ready
    assert answers(f'http://127.0.0.1:{ports["a"]}/healthz')
    images.with_name('away').rename(images)
    wait_for(lambda: answers(f'{url}/config'), 30)
