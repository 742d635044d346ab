"""One request tells whether the hub can be reached; nothing waits for it in turn."""

import http.server
import importlib.util
import socket
import threading
import time

import pytest

from mmtbps.datasets.transforms.tokenize import load_tokenizer
from mmtbps.errors import MissingFile, UserError
from mmtbps.hub import hub_fault, hub_options
from mmtbps.models import BERTBackbone, SigLIPTextTower
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search.encoders import load_encoder
from mmtbps.search.media.detector import PersonDetector

NAME = 'nobody/a-mistyped-name'
pytest_plugins = 'named_model_fixtures'  # `hub`


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """Addresses asked for on a machine without a network; a pause between attempts is an error."""
    asked = []

    def refuse(host, *args, **options):
        asked.append(host)
        raise socket.gaierror(-2, 'Name or service not known')

    def no_pause(seconds):
        raise AssertionError(f'waits {seconds} s')

    for variable in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    monkeypatch.setattr(time, 'sleep', no_pause)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', False)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'cache'))
    return asked


@pytest.mark.parametrize('load', [
    lambda: load_dual_encoder(f'hf:{NAME}'), lambda: load_dual_encoder(f'hf:{NAME}@main'),
    lambda: PersonDetector(NAME), lambda: BERTBackbone(NAME), lambda: SigLIPTextTower(NAME),
    lambda: load_tokenizer(NAME), lambda: load_encoder(NAME)],
    ids=['named', 'revision', 'detector', 'text tower', 'siglip', 'tokenizer', 'ours'])
def test_a_name_without_a_network_is_one_line_at_once(load, tried):
    with pytest.raises(UserError) as refused:
        load()
    assert NAME in str(refused.value) and len(tried) <= 2


def test_the_reason_is_named(tried):
    with pytest.raises(MissingFile, match=f'{NAME}: nothing of it is in the cache, and https://hugg'
                                          r'ingface.co cannot be reached \(.*not known\)'):
        hub_options(NAME)


def test_offline_mode_asks_nobody(tried, monkeypatch):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    assert hub_options(NAME) == {} and not tried


def test_a_cached_model_loads_at_once_without_a_network(hub, tried):
    import huggingface_hub
    huggingface_hub.constants.HF_HUB_CACHE = str(hub.parent)
    model = load_dual_encoder('hf:owner/name')
    assert model.revision == 'a' * 40 and len(tried) <= 2


@pytest.fixture
def server(monkeypatch):
    """A hub that answers with a status after some seconds; gives a function that starts it."""
    started = []

    def start(status, seconds=0.):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                threading.Event().wait(seconds)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *words):
                pass

        started.append(http.server.ThreadingHTTPServer(('127.0.0.1', 0), Answer))
        threading.Thread(target=started[-1].serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{started[-1].server_port}'
        monkeypatch.setattr('huggingface_hub.constants.ENDPOINT', address)
        monkeypatch.setattr('huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE',
                            address + '/{repo_id}/resolve/{revision}/{filename}')

    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', False)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT', .5)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    yield start
    for one in started:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize('status', [200, 401, 404, 500, 503])
def test_a_hub_that_answers_is_reached_whatever_it_says(status, server):
    server(status)
    assert hub_fault(NAME) is None


def test_a_hub_that_answers_late_is_reached(server):
    server(200, seconds=1.)
    assert hub_fault(NAME) is None


@pytest.mark.skipif(importlib.util.find_spec('open_clip') is None, reason='needs open_clip')
@pytest.mark.parametrize('name', ['hf-hub:nobody/nothing', 'ViT-B-16/laion2b_s34b_b88k'])
def test_open_clip_does_not_wait_either(name, tried):
    with pytest.raises(UserError, match='nothing of it is in the cache, and'):
        load_dual_encoder(f'open_clip:{name}')
    assert len(tried) <= 2
