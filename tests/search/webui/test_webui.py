"""The page over its API, with a server: answers, uploads, and what nobody gets."""

import base64
import http.server
import io
import json
import struct
import threading
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fakes import paint
from PIL import Image
from webui_rig import PEOPLE, open_page

from mmtbps.search.galleries.provenance import write_provenance
from mmtbps.search.webui.bodies import MAX_BODY


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    pytest.importorskip('gradio')
    with open_page(tmp_path_factory.mktemp('page')) as opened:
        yield opened
        assert opened.searcher.gallery.count() == len(PEOPLE), 'a test changed what all share'


@pytest.fixture(scope='module')
def client(page):
    with connect(page) as connected:
        yield connected


@pytest.fixture
def own_page(tmp_path_factory):
    """For a test that adds people."""
    pytest.importorskip('gradio')
    with open_page(tmp_path_factory.mktemp('own_page')) as opened:
        yield opened


@pytest.fixture
def own_client(own_page):
    with connect(own_page) as connected:
        yield connected


@contextmanager
def connect(page):
    from gradio_client import Client
    connected = Client(page.url, verbose=False, analytics_enabled=False)
    yield connected
    connected.close()


@pytest.fixture(scope='module')
def http_client(page):
    import httpx
    with httpx.Client(base_url=page.url, trust_env=False, timeout=30) as session:
        yield session


def for_programs(answers):
    """As the API gives it; Gradio's client would take a 'path' for a file to download."""
    return [{'file' if key == 'path' else key: value for key, value in hit.items()}
            for hit in answers[0]['hits']]


@pytest.mark.parametrize('fields, where', [
    (dict(), None),
    (dict(cameras=['c1', 'c3']), {'camera': ['c1', 'c3']}),
    (dict(since='2024-01-02', until='2024-01-03'), {'time': ('2024-01-02', '2024-01-03')}),
    (dict(until='1704153600'), {'time': (None, 1704153600)}),
    (dict(track='t3', cameras=['c3']), {'camera': 'c3', 'track': 't3'}),
])
def test_api_answers_like_the_library(page, client, fields, where):
    found = client.predict(text='red coat, blue trousers', topk=4, api_name='/search', **fields)
    assert found == for_programs(page.searcher('red coat, blue trousers', topk=4, where=where))
    assert found and (where is not None or found[0]['id'] == 'red-blue')
    found = client.predict(entry_id='red-black', topk=4, api_name='/similar', **fields)
    assert found == for_programs(page.searcher.similar_to('red-black', topk=4, where=where))
    assert 'red-black' not in [hit['id'] for hit in found]


def test_api_explains_with_a_heat_map_of_the_telling_words(client):
    from mmtbps.visualization.heat_map import draw_word_heat_maps
    uri = client.predict(text='a red coat', entry_id='red-blue', api_name='/explain')
    sheet = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix('data:image/jpeg;base64,'))))
    heat = np.zeros((4, 2), np.float32)
    heat[:2] = 1
    wanted = draw_word_heat_maps(paint('red', 'blue', size=(32, 80)), [heat] * 2,
                                 ['red', 'coat'], columns=4)
    assert sheet.size == wanted.size
    difference = np.abs(np.asarray(sheet, float) - np.asarray(wanted, float)).mean()
    assert difference < 4, 'more than what JPEG takes'


@pytest.mark.parametrize('endpoint, fields, message', [
    ('/search', dict(text=''), 'Describe the person'),
    ('/search', dict(text=' \n '), 'Describe the person'),
    ('/search', dict(text='word ' * 10_000), '50,000 characters'),
    ('/search', dict(text=['red']), 'must be text'),
    ('/search', dict(text='red', topk=0), 'from 1 to 100'),
    ('/search', dict(text='red', topk=10**6), 'from 1 to 100'),
    ('/search', dict(text='red', topk=2.5), 'whole number'),
    ('/search', dict(text='red', topk='all'), 'whole number'),
    ('/search', dict(text='red', since='yesterday'), "'yesterday'"),
    ('/search', dict(text='red', since='2024-02-01', until='2024-01-01'), 'ends before it begins'),
    ('/search', dict(text='red', cameras=[{'$ne': None}]), 'must be text'),
    ('/similar', dict(entry_id="nobody' OR '1'='1"), 'has no entry'),
    ('/similar', dict(entry_id='../../etc/passwd'), 'has no entry'),
    ('/similar', dict(entry_id=''), 'Choose a person'),
    ('/explain', dict(text='', entry_id='red-blue'), 'Describe the person'),
    ('/explain', dict(text='red', entry_id='nobody'), 'has no entry'),
    ('/explain', dict(text='RED', entry_id='red-blue'), 'cannot show where the words are'),
])
def test_api_says_what_is_wrong(client, capfd, endpoint, fields, message):
    with pytest.raises(Exception, match='.*') as caught:
        client.predict(api_name=endpoint, **fields)
    assert message in str(caught.value) and 'Traceback' not in capfd.readouterr().err


def test_a_filter_is_data_and_no_query(client):
    for camera in ("c1' OR '1'='1", 'c1"; DROP TABLE people; --', '%', '*'):
        assert client.predict(text='red', cameras=[camera], api_name='/search') == []
    assert len(client.predict(text='red', api_name='/search')) >= len(PEOPLE)


# ------------------------------------------------------------------ adding people
def add(client, *files, **known):
    from gradio_client import handle_file
    fields = dict(camera='', time='', track='') | known
    return client.predict([handle_file(file) for file in files], *fields.values(), api_name='/add')


def test_added_people_are_found_and_kept_under_a_name_of_their_content(own_page, own_client,
                                                                       tmp_path):
    page, client = own_page, own_client
    picture = tmp_path / 'My Photo ..%2F..%2Fevil.png'
    paint('purple', 'yellow', size=(20, 50)).save(picture)
    before = page.searcher.gallery.count()
    said = add(client, picture, camera='door', time='2024-05-01T12:00', track='t9')
    assert said == 'One picture added.'
    for known in (dict(), dict(camera='cellar', time='2020-01-01', track='t1')):
        said = add(client, picture, picture, **known)  # the same picture is one person
        assert said == 'Nothing added. One was in the gallery already.'
    assert page.searcher.gallery.count() == before + 1
    hit = client.predict(text='purple shirt, yellow trousers', topk=1, api_name='/search')[0]
    assert hit['score'] > .999
    assert (hit['camera'], hit['time'], hit['track']) == ('door', 1714564800., 't9')
    kept, = page.uploads.iterdir()
    assert page.images / hit['file'] == kept and kept.read_bytes() == picture.read_bytes()
    assert kept.stem.isalnum() and len(kept.stem) == 32
    # A second run of the index takes the file for the one it has.
    write_provenance(page.searcher.gallery.uri, images=page.images)
    report = page.searcher.index(page.uploads, progress=False)
    assert (report.indexed, report.unchanged, report.removed) == (0, 1, 0)


def test_hostile_uploads_are_refused_by_name_and_the_rest_is_added(own_page, own_client, tmp_path):
    page, client = own_page, own_client
    (tmp_path / 'text.png').write_text('no picture at all')
    (tmp_path / 'bomb.png').write_bytes(bomb(60_000, 60_000))
    (tmp_path / 'cut.jpg').write_bytes(jpeg('orange')[:300])
    paint('orange', 'white', size=(20, 50)).save(tmp_path / 'good.png')
    before = page.searcher.gallery.count()
    said = add(client, *sorted(tmp_path.iterdir()))
    assert said.startswith('One picture added.') and page.searcher.gallery.count() == before + 1
    assert all(name in said for name in ('text.png: ', 'bomb.png: ', 'cut.jpg: '))
    assert 'million' in said and 'good' not in said


def test_files_are_added_once_a_field_is_put_right(own_page, tmp_path):
    import httpx
    paint('purple', size=(20, 50)).save(tmp_path / 'new.png')
    with httpx.Client(base_url=own_page.url, trust_env=False, timeout=30) as client:
        file, = client.post('/gradio_api/upload', files=dict(
            files=('new.png', (tmp_path / 'new.png').read_bytes()))).json()
        said = []
        for time in ('soon', '2024-05-01'):
            given = [[{'path': file, 'meta': {'_type': 'gradio.FileData'}}], '', time, '']
            number = client.post('/gradio_api/call/add', json=dict(data=given)).json()['event_id']
            said.append(client.get(f'/gradio_api/call/add/{number}').text)
    assert 'event: error' in said[0] and 'One picture added.' in said[1]
    assert not Path(file).exists(), 'a copy of what was added'


@pytest.mark.parametrize('name, known, message', [
    ('picture.svg', {}, 'file type'),
    ('picture.png', dict(time='soon'), "'soon'"),
    ('picture.png', dict(camera='c' * 201), 'at most 200'),
    (None, {}, 'Choose one picture or more'),
])
def test_what_cannot_be_added_is_said(page, client, tmp_path, name, known, message):
    before = page.searcher.gallery.count()
    files = []
    if name:
        paint('red').save(tmp_path / 'picture.png')
        (tmp_path / 'picture.svg').write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        files = [tmp_path / name]
    with pytest.raises(Exception, match='.*') as caught:
        add(client, *files, **known)
    assert message in str(caught.value) and page.searcher.gallery.count() == before


def bomb(width, height):
    """A PNG of few bytes that announces many pixels."""
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data
                + struct.pack('>I', zlib.crc32(kind + data)))
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
            + chunk(b'IDAT', zlib.compress(bytes(10_000))) + chunk(b'IEND', b''))


def jpeg(*colors):
    buffer = io.BytesIO()
    paint(*colors, size=(40, 100)).save(buffer, 'JPEG')
    return buffer.getvalue()


# ------------------------------------------------------------------ what nobody gets
def test_the_api_is_the_four_endpoints(client):
    assert set(client.view_api(return_format='dict', print_info=False)['named_endpoints']) == {
        '/search', '/similar', '/explain', '/add'}


def test_no_file_is_served_by_any_route(page, http_client, tmp_path):
    paint('red').save(tmp_path / 'x.png')
    uploaded, = http_client.post('/gradio_api/upload', files=dict(
        files=('x.png', (tmp_path / 'x.png').read_bytes()))).json()
    picture = page.images / 'crops/red-blue.png'
    for place in ('/etc/passwd', picture, uploaded, '../../../../etc/passwd', 'http://127.0.0.1:9/',
                  page.images.parent / 'gallery'):
        for route in ('/gradio_api/file=', '/gradio_api/file/', '/file=', '/gradio_api/proxy=',
                      '/assets/', '/static/', '/assets/..%2f..%2f', '/static/%2e%2e/'):
            reply = http_client.get(f'{route}{place}')
            assert reply.status_code in (400, 403, 404), (route, place)
            assert b'root:' not in reply.content and b'PNG' not in reply.content
    assert http_client.get('/').status_code == 200


def test_crafted_files_reach_no_endpoint(page, http_client):
    """Every event of the page, also those that are no public API, is sent paths it did not give."""
    config = http_client.get('/config').json()
    for path in ('/etc/passwd', '../../../etc/passwd', str(page.images / 'crops/red-blue.png')):
        stolen = {'path': path, 'url': path, 'orig_name': 'x.png', 'meta': {
            '_type': 'gradio.FileData'}}
        for event in config['dependencies']:
            session = f'{event["id"]}-{abs(hash(path))}'
            joined = http_client.post('/gradio_api/queue/join', json=dict(
                data=[stolen] * len(event['inputs']), fn_index=event['id'], session_hash=session,
                event_data={'pick': stolen}))
            if joined.status_code != 200:
                continue
            reply = http_client.get('/gradio_api/queue/data', params=dict(session_hash=session))
            assert 'root:' not in reply.text and 'file=' not in reply.text
            assert 'process_completed' in reply.text
    assert len(config['dependencies']) >= 8


def test_nothing_is_fetched_for_a_visitor(page, http_client):
    asked = []

    class Canary(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)
        do_HEAD = do_GET

    with http.server.HTTPServer(('127.0.0.1', 0), Canary) as canary:
        threading.Thread(target=canary.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{canary.server_port}/x.png'
        wanted = {'path': url, 'meta': {'_type': 'gradio.FileData'}}
        for event in http_client.get('/config').json()['dependencies']:
            reply = http_client.post('/gradio_api/queue/join', json=dict(
                data=[wanted, *event['inputs']], fn_index=event['id'], session_hash='s'))
            assert reply.status_code == 400 and 'never fetched' in reply.text
        http_client.get(f'/gradio_api/file={url}')
        http_client.get(f'/gradio_api/proxy={url}')
        canary.shutdown()
    assert not asked


def test_requests_are_small_and_come_by_the_own_name(page, http_client):
    reply = http_client.post('/gradio_api/queue/join', content=b' ' * (MAX_BODY + 1))
    assert reply.status_code == 413
    assert http_client.get('/', headers={'host': 'rebound.example'}).status_code == 400


def test_the_page_loads_nothing_from_elsewhere_and_reports_nothing(page, http_client):
    reply = http_client.get('/')
    assert "default-src 'self'" in reply.headers['content-security-policy']
    config = http_client.get('/config').json()
    assert not config['stylesheets'] or not [
        sheet for sheet in config['stylesheets'] if '//' in sheet]
    assert config['analytics_enabled'] is False and not page.blocks.share
    assert json.dumps(config).count('googleapis') == 0
    assert page.url.startswith('http://127.0.0.1:')
    assert config['connect_heartbeat'] is False, 'each tab would hold a connection open'
