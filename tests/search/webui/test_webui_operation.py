"""The page in operation: health checks, metrics, JSON logs, uploads of several pages at once."""

import asyncio
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import pytest
from fakes import ColorEncoder, paint
from webui_rig import fill, free_port

from mmtbps.commands.wording.json_logs import JsonFormatter, write_json_logs
from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.webui import health as health_module
from mmtbps.search.webui.health import HealthCheck, why_not_ready
from mmtbps.search.webui.metrics import PageMetrics, parse_metrics_address
from mmtbps.search.webui.middleware import RequestFilter
from mmtbps.search.webui.observed import ObservedService, log_query
from mmtbps.search.webui.server import AddressNotFree
from mmtbps.search.webui.service import Refused, SearchService
from mmtbps.search.webui.uploads import add_crops


@pytest.fixture
def searcher(tmp_path):
    gallery = fill(tmp_path / 'images', tmp_path / 'gallery')
    return TextToPersonInferencer(ColorEncoder(), gallery=gallery, images=tmp_path / 'images')


# ------------------------------------------------------------------ health
def request(app, path, method='GET', host=b'no.such.host'):
    """Status and body of a request as a load balancer sends it, under a name of its own."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return dict(type='http.request', body=b'')

    scope = dict(type='http', method=method, path=path, raw_path=path.encode(),
                 headers=[(b'host', host)])
    asyncio.run(app(scope, receive, send))
    return sent[0]['status'], b''.join(message.get('body', b'') for message in sent[1:])


def filter_of(ready):
    async def nothing(scope, receive, send):
        raise AssertionError('a health check reached Gradio')

    return RequestFilter(nothing, health=HealthCheck(ready))


def test_a_balancer_learns_whether_the_page_can_answer(searcher, tmp_path, caplog):
    images = tmp_path / 'images'
    app = filter_of(lambda: why_not_ready(searcher, images))
    assert request(app, '/healthz') == request(app, '/readyz') == (200, b'ok')
    assert request(app, '/readyz', 'HEAD') == (200, b'')
    assert request(app, '/readyz', 'POST')[0] == 405
    assert request(app, '/config')[0] == 400  # any other path has the page's own name
    images.rename(tmp_path / 'away')
    assert request(filter_of(lambda: why_not_ready(searcher, images)), '/readyz') == (
        503, b'not ready')
    assert f'not ready: {images}, the folder of the images, is gone' in caplog.text


def test_a_gallery_that_fails_is_told_in_the_log_alone(caplog):
    def ready():
        raise ConnectionError('password of people@db\nrefused')

    assert request(app := filter_of(ready), '/readyz') == (503, b'not ready')
    assert request(app, '/healthz') == (200, b'ok')
    assert 'not ready: ConnectionError: password of people@db' in caplog.text


def test_a_gallery_that_hangs_is_not_waited_for_and_asked_once(monkeypatch):
    monkeypatch.setattr(health_module, '_PATIENCE', .05)
    asked, answered = [], threading.Event()

    def ready():
        asked.append(1)
        answered.wait(30)

    async def ask_thrice():
        check, sent = HealthCheck(ready), []

        async def send(message):
            sent.append(message)

        for _ in range(3):
            await check.answer(dict(method='GET', path='/readyz'), send)
        answered.set()
        return [message['status'] for message in sent if 'status' in message]

    assert asyncio.run(ask_thrice()) == [503] * 3 and len(asked) == 1


def test_many_checks_ask_the_gallery_once_a_second(monkeypatch):
    now, asked = [100.], []
    monkeypatch.setattr(health_module.time, 'monotonic', lambda: now[0])
    app = filter_of(lambda: asked.append(1))
    for _ in range(5):
        assert request(app, '/readyz')[0] == 200
    assert len(asked) == 1
    now[0] += 1.1
    assert request(app, '/readyz')[0] == 200 and len(asked) == 2


# ------------------------------------------------------------------ questions
def test_each_question_is_told_once_and_without_its_words(searcher, tmp_path):
    told = []
    service = ObservedService(searcher, tmp_path / 'images', observers=[told.append])
    plain = SearchService(searcher, tmp_path / 'images')
    hits = service.search('all in red', 3)
    assert [hit.entry.id for hit in hits] == [
        hit.entry.id for hit in plain.search('all in red', 3)]
    service.similar('red-blue')
    for wrong in (lambda: service.ask(''), lambda: service.similar('nobody'),
                  lambda: service.search_picture('none')):
        with pytest.raises(Refused):
            wrong()
    searcher.explain = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        service.explain('all in red', 'red-blue')
    assert [query[:2] for query in told] == [
        ('sentence', 'answered'), ('similar', 'answered'), ('sentence', 'refused'),
        ('similar', 'refused'), ('picture', 'refused'), ('explain', 'failed')]
    assert all(0 <= query.seconds < 60 for query in told)


# ------------------------------------------------------------------ metrics
def test_prometheus_reads_what_was_asked_and_how_many_there_are(searcher, tmp_path):
    parser = pytest.importorskip('prometheus_client.parser')
    metrics = PageMetrics(searcher.gallery)
    service = ObservedService(searcher, tmp_path / 'images', observers=[metrics])
    port = free_port()
    close = metrics.serve('127.0.0.1', port)

    def look():
        with urlopen(f'http://127.0.0.1:{port}/metrics') as reply:
            families = parser.text_string_to_metric_families(reply.read().decode())
            return {(sample.name, *sorted(sample.labels.items())): sample.value
                    for family in families for sample in family.samples}

    try:
        assert look()['mmtbps_gallery_entries', ] == 6
        for _ in range(3):
            service.ask('all in red')
        with pytest.raises(Refused):
            service.ask('')
        searcher.gallery.delete(['red-blue'])
        seen = look()
        kind = ('kind', 'sentence')
        assert seen['mmtbps_queries_total', kind, ('outcome', 'answered')] == 3
        assert seen['mmtbps_queries_total', kind, ('outcome', 'refused')] == 1
        assert seen['mmtbps_query_seconds_count', kind] == 4
        assert seen['mmtbps_query_seconds_bucket', kind, ('le', '+Inf')] == 4
        assert (seen['mmtbps_gallery_up', ], seen['mmtbps_gallery_entries', ]) == (1, 5)
        with pytest.raises(AddressNotFree, match='metrics cannot be shown at this address'):
            PageMetrics(searcher.gallery).serve('127.0.0.1', port)
        (tmp_path / 'gallery').rename(tmp_path / 'gone')
        seen = look()
        assert seen['mmtbps_gallery_up', ] == 0 and ('mmtbps_gallery_entries', ) not in seen
    finally:
        close()


def test_metrics_need_their_package_and_an_address(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'prometheus_client', None)
    with pytest.raises(MissingPackage, match=r'pip install "mmtbps\[metrics\]"'):
        PageMetrics(None)
    assert parse_metrics_address('[::1]:9187') == ('::1', 9187)
    for wrong in ('', 'host', ':', '0', '70000', 'host:port'):
        with pytest.raises(BadValue, match='PORT or HOST:PORT'):
            parse_metrics_address(wrong)


# ------------------------------------------------------------------ logs
@pytest.fixture
def json_lines():
    """Lines that the process logs as JSON, read; the loggers are as before afterwards."""
    root, ours, stream = logging.getLogger(), logging.getLogger('mmtbps'), io.StringIO()
    before = root.handlers[:], root.level, ours.level
    write_json_logs(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])
    logging.captureWarnings(False)


def test_a_log_line_is_one_object_whatever_it_says(json_lines, searcher, tmp_path):
    service = ObservedService(searcher, tmp_path / 'images', observers=[log_query])
    service.ask('all in red')
    logging.getLogger('mmtbps.page').warning('GET %s', '/"\n\u2028{"level": "forged"}')
    logging.getLogger('another').info('passed over')
    try:
        raise MissingFile('gone')
    except MissingFile:
        logging.getLogger('another').exception('failed')
    query, refused, failed = json_lines()
    assert (query['logger'], query['level'], query['message']) == ('mmtbps.page', 'info', 'query')
    assert (query['kind'], query['outcome']) == ('sentence', 'answered') and query['seconds'] >= 0
    assert 'all in red' not in json.dumps(query)
    assert refused['message'] == 'GET /"\n\u2028{"level": "forged"}'
    assert refused['level'] == 'warning' and refused['time'].endswith('+00:00')
    assert failed['level'] == 'error' and 'MissingFile: gone' in failed['traceback']


def test_the_time_of_a_line_is_that_of_its_record():
    record = logging.LogRecord('page', logging.ERROR, '', 0, 'late', (), None)
    record.created = 1767225600.25  # 2026-01-01T00:00:00.25Z, by date -u -d
    assert json.loads(JsonFormatter().format(record))['time'] == '2026-01-01T00:00:00.250+00:00'


# ------------------------------------------------------------------ uploads
def test_two_pages_keep_uploads_in_one_folder(tmp_path):
    """The same pictures sent to both at once are there once, and none is lost."""
    images, uri = tmp_path / 'images', tmp_path / 'gallery'
    fill(images, uri)
    colors = ('black', 'white', 'purple', 'orange')
    for color in colors:
        paint(color, size=(20, 50)).save(tmp_path / f'{color}.png')
    files = [str(tmp_path / f'{color}.png') for color in colors]
    pages = [SearchService(TextToPersonInferencer(
        ColorEncoder(), gallery=open_gallery(uri, ColorEncoder.fingerprint), images=images), images)
        for _ in range(2)]
    begin = threading.Barrier(2)

    def send(page, order):
        begin.wait()
        return [add_crops(page, images / 'added', [file]) for file in order]

    with ThreadPoolExecutor(2) as pool:
        reports = sum(pool.map(send, pages, (files, files[::-1])), [])
    assert all(report.count + report.present == 1 and not report.refused for report in reports)
    added = [entry for entry in open_gallery(uri).entries() if entry.path.startswith('added/')]
    assert len(added) == len({entry.sha256 for entry in added}) == len(colors)
    assert {path.name for path in (images / 'added').glob('*.png')} == {
        entry.path.removeprefix('added/') for entry in added}
    for page in pages:
        assert all(page.picture(page.entry(entry.id)) is not None for entry in added)
