"""Requests that the page does not make: each gets a 4xx and a line of the log, no traceback."""

import json
import logging
import re
from pathlib import Path

import pytest
from webui_rig import open_page

from mmtbps.search.webui.bodies import MAX_BODY
from mmtbps.search.webui.middleware import RequestFilter

JOIN, CALL = '/gradio_api/queue/join', '/gradio_api/call/search'
DATA = ['red coat, blue trousers', 3, [], '', '', '']
FORM = {'content-type': 'multipart/form-data; boundary=x'}
#: What it is, in the words of the table; status, route and content of the request.
REQUESTS = {
    'an event that the page does not have, by number or name': [
        *((400, JOIN, dict(data=[], fn_index=number, session_hash='s'))
          for number in (-1, 999, None, '1', 1.5, True, 10**30, [1], {})),
        *((400, f'/gradio_api/call/{name}', dict(data=DATA))
          for name in ('nosuch', 'by_text', '..%2f', '%00', '')),
        (400, '/gradio_api/call/v2/nosuch', dict(text='red'))],
    'a body that is no JSON, no object, or nested 100,000 deep': [
        *((400, route, body) for route in (JOIN, CALL)
          for body in (b'', b'{', b'\xff\xfe', b'[' * 100_000, [], None, 'text', 5))],
    'data that are none, or not as many as the event takes': [
        *((400, CALL, dict(data=data)) for data in (None, 'text', {}, [], DATA[1:], DATA * 2)),
        (400, CALL, {}), (400, JOIN, dict(fn_index=1, session_hash='s'))],
    'arguments that an endpoint does not have': [
        (400, '/gradio_api/call/v2/search', dict(nosuch=1)), (400, '/gradio_api/call/v2/add', {})],
    'a session, event data or trigger of another kind': [
        *((400, JOIN, dict(data=[], fn_index=0, **odd)) for odd in (
            dict(session_hash=5), dict(session_hash='x' * 5000), dict(session_hash='a b'),
            dict(session_hash='s', event_data='x'), dict(session_hash='s', trigger_id=[1])))],
    'addresses in the place of files': [
        (400, CALL, dict(data=[{'path': 'https://example.org/x'}])),
        (400, CALL, rb'{"p\u0061th": "\u0068ttps://x"}')],
    'more than 256 KiB': [(413, JOIN, b' ' * (MAX_BODY + 1))],
    'routes of Gradio that the page does not need': [
        *((404, f'/gradio_api/{route}', {}) for route in (
            'run/search', 'api/search', 'component_server', 'vibe-edit', 'process_recording',
            'heartbeat/s', 'login', 'stream/x', 'file=/etc/passwd'))],
    'uploads that are no form': [
        *((status, '/gradio_api/upload', body, head) for status, body, head in (
            (400, b'junk', {}), (400, b'junk', FORM), (400, b'--x\r\n\r\n--', FORM),
            (400, b'junk', {'content-type': 'multipart/form-data'})))],
    'pages and deep links that are not there': [
        (400, 'GET /?page=nosuch', None), (404, 'GET /docs', None),
        (404, 'GET /assets/nosuch', None), (404, 'GET /../../etc/passwd', None),
        (404, 'GET /nosuch%0d%0aline', None)],
    'another host name or site': [
        (400, 'GET /', None, {'host': 'rebound.example'}),
        (403, CALL, dict(data=DATA), {'origin': 'https://evil.example'})],
}


@pytest.fixture(scope='module')
def visit(tmp_path_factory):
    pytest.importorskip('gradio')
    import httpx
    with open_page(tmp_path_factory.mktemp('hostile')) as page, httpx.Client(
            base_url=page.url, trust_env=False, timeout=30) as client:
        def send(route, content, headers=None):
            method, _, path = route.rpartition(' ')
            if content is None and method == 'GET':
                return client.get(path, headers=headers)
            body = dict(content=content) if isinstance(content, bytes) else dict(json=content)
            return client.post(path, headers=headers, **body)

        yield send


@pytest.mark.parametrize('kind', REQUESTS)
def test_a_request_that_the_page_does_not_make(visit, kind, capfd, caplog):
    caplog.set_level(logging.WARNING, 'mmtbps.page')
    for status, route, content, *headers in REQUESTS[kind]:
        caplog.clear()
        reply = visit(route, content, *headers)
        assert reply.status_code == status, (route, content, reply.text)
        assert len(reply.text) < 400 and 'Traceback' not in reply.text
        line, = (record.getMessage() for record in caplog.records)
        assert line.isprintable() and f'refused with {status}' in line
    said = ''.join(capfd.readouterr())
    assert 'Traceback' not in said and 'Exception in ASGI' not in said


@pytest.mark.parametrize('data', [
    [None] * 6, [{'a': 1}] * 6, [[[]]] * 6, ['\ud800', 3, [], '', '', ''],
    ['red', '\0', 5, 5, 5, 5], ['red', 5, 5, '', '', ''], ['red', 5, [5], '', '', '']])
def test_values_of_another_kind_end_in_one_line(visit, data, capfd):
    number = visit(CALL, json.dumps(dict(data=data)).encode(),
                   {'content-type': 'application/json'}).json()['event_id']
    reply = visit(f'GET {CALL}/{number}', None)
    assert 'event: error' in reply.text
    assert 'Traceback' not in ''.join(capfd.readouterr())


@pytest.mark.parametrize('event', ['again', 'closer', 'by_picture'])
def test_odd_data_of_a_click_end_in_an_answer(visit, event, capfd):
    """The values of the fields are those of the page; what was clicked on is not."""
    known, = (one for one in visit('GET /config', None).json()['dependencies']
              if one['api_name'] == event)
    fields = ['red', [], None, None, None, 5, .5, '', False, None]
    assert len(known['inputs']) in (1, len(fields))
    fields = fields[:len(known['inputs'])]
    odd = (None, '', '0', '9' * 5000, '\u0663', 10**30, -1, 1.5, True, [], {}, [[1]], '\0',
           '\ud800', 'data:image/jpeg;base64,')
    for number, data in enumerate([{}, None, *({'pick': one, 'picture': one} for one in odd)]):
        body = json.dumps(dict(data=fields, fn_index=known['id'], event_data=data,
                               session_hash=f'{event}-{number}')).encode()
        assert visit(JOIN, body, {'content-type': 'application/json'}).status_code == 200
        reply = visit(f'GET /gradio_api/queue/data?session_hash={event}-{number}', None)
        assert '"success":true' in reply.text, (data, reply.text)
    assert 'Traceback' not in ''.join(capfd.readouterr())


def test_a_websocket_is_closed_and_not_left_without_an_answer():
    import asyncio
    sent = []

    async def send(message):
        sent.append(message['type'])

    asyncio.run(RequestFilter(None)(dict(type='websocket', path='/', headers=[]), None, send))
    assert sent == ['websocket.close']


def test_an_answer_that_is_not_there_ends(visit, capfd):
    for path in (f'{CALL}/nosuch', '/gradio_api/queue/data?session_hash=nosuch'):
        assert 'Not Found' in visit(f'GET {path}', None).text
    assert 'Traceback' not in ''.join(capfd.readouterr())


def test_the_table_lists_what_is_tried():
    page = (Path(__file__).resolve().parents[3] / 'docs/reliability.md').read_text('utf-8')
    table = re.search(r'\| request to the page .*?\n\n', page, re.DOTALL)[0]
    listed = [line.split('|')[1].strip() for line in table.splitlines()[2:] if line]
    assert listed == list(REQUESTS)
