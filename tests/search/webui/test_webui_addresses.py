"""Names, other sites and reverse proxies: who gets an answer of the page."""

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fakes import paint
from reverse_proxy import proxy_of, read_snippet
from webui_rig import free_port, open_page

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.search.webui.addresses import PageAddress, parse_public_url
from mmtbps.search.webui.environment import private_environment
from mmtbps.search.webui.layout import import_gradio
from mmtbps.search.webui.private_folder import PrivateFolder

PUBLIC = 'https://search.example.org/people'


@pytest.mark.parametrize('host, public, name, passed', [
    ('127.0.0.1', '', '127.0.0.1:7860', True), ('127.0.0.1', '', 'localhost', True),
    ('127.0.0.1', '', 'rebound.example', False), ('127.0.0.1', '', '', False),
    ('127.0.0.1', '', '127.0.0.1.rebound.example', False), ('::1', '', '[::1]:7860', True),
    ('127.0.0.1', PUBLIC, 'search.example.org', True),
    ('127.0.0.1', PUBLIC, 'SEARCH.example.org:443', True),
    ('127.0.0.1', PUBLIC, 'other.example.org', False), ('127.0.0.1', '', 'desk', False),
    ('0.0.0.0', PUBLIC, 'rebound.example', False), ('0.0.0.0', PUBLIC, '192.168.1.5:80', True),
    *((host, '', name, passed) for host in ('0.0.0.0', '::', '192.168.1.5') for name, passed in (
        ('rebound.example:7860', False), ('192.168.1.5.rebound.example', False), ('', False),
        ('desk.rebound.example', False), ('192.168.1.5:7860', True), ('[fe80::1]:7860', True),
        ('localhost:7860', True), ('Desk:7860', True), ('desk.office.example', True),
        ('desk.local', True), ('nas', False))),
    ('nas.office.example', '', 'NAS.office.example', True),
])
def test_names_that_the_page_answers_to(host, public, name, passed, monkeypatch):
    monkeypatch.setattr(socket, 'gethostname', lambda: 'Desk.office.example')
    refusal = PageAddress(host, public).refuse_host(name)
    assert (refusal is None) == passed
    assert passed or 'public URL' in refusal


@pytest.mark.parametrize('host', ['127.0.0.1', '0.0.0.0', '127.0.0.2'])
@pytest.mark.parametrize('origin, hosts, passed', [
    ('http://10.0.0.5:7860', ['10.0.0.5:7860'], True), ('http://host', ['host:80'], True),
    ('https://HOST', ['host'], True), ('https://search.example.org', ['127.0.0.1:7860'], True),
    ('http://front.example', ['127.0.0.1:7860', 'front.example'], True),
    ('http://10.0.0.5:8888', ['10.0.0.5:7860'], False), ('https://evil.example', ['host'], False),
    ('https://evil.example', ['10.0.0.5'], False), ('null', ['host'], False), ('', ['host'], False),
    ('https://host.evil.example', ['host'], False), ('https://host, https://evil', ['host'], False),
    ('http://[', ['host'], False),
])
def test_origins_that_get_an_answer(host, origin, hosts, passed):
    refusal = PageAddress(host, PUBLIC).refuse_origin([origin], hosts)
    assert (refusal is None) == passed
    assert PageAddress(host, PUBLIC).refuse_origin([], hosts) is None, 'a program sends none'


@pytest.mark.parametrize('url', ['host', 'ftp://host', 'https://', 'https://host/a b', 'https://h/?x',
                                 'https://me:word@host/', 'https://host/#x', 'https://host/../x',
                                 'https://host/%2e', 'https://host:99999999/', '//host/x'])
def test_a_public_url_is_a_whole_address(url):
    with pytest.raises(BadValue, match='whole address'):
        parse_public_url(url)


def test_a_public_url_has_no_last_slash():
    assert parse_public_url('http://[::1]:80/a/b/') == 'http://[::1]:80/a/b'
    assert parse_public_url(None) == parse_public_url('') == ''


@pytest.fixture
def visit():
    """Send a request, by default a question; its answer as `httpx` has it."""
    httpx = pytest.importorskip('httpx')

    def send(url, path='/gradio_api/call/search', method='POST', **headers):
        question = dict(data=['red coat, blue trousers', 3, [], '', '', ''])
        return httpx.request(method, url + path, headers=headers, trust_env=False, timeout=30,
                             **(dict(json=question) if method == 'POST' else {}))

    return send


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost', '127.0.0.2'])
def test_another_site_neither_asks_nor_reads(tmp_path, visit, host):
    pytest.importorskip('gradio')
    with open_page(tmp_path, uploads=False, host=host) as page:
        for origin in ('https://evil.example', 'http://localhost:1', 'null'):
            for path, method in (('/gradio_api/call/search', 'POST'), ('/config', 'GET'),
                                 ('/gradio_api/call/search', 'OPTIONS'), ('/', 'GET')):
                reply = visit(page.url, path, method, origin=origin,
                              **{'access-control-request-method': 'POST'})
                assert reply.status_code == 403, (origin, path, method)
                assert not [key for key in reply.headers if key.startswith('access-control')]
        name = 'rebound.example:7860'  # of the other site, made to point here
        assert visit(page.url, host=name, origin=f'http://{name}').status_code == 400
        reply = visit(page.url, origin=page.url)
        assert reply.status_code == 200 and 'event_id' in reply.json()
        assert not [key for key in reply.headers if key.startswith('access-control')]


@pytest.fixture
def ipv6():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(('::1', 0))
        except OSError:
            pytest.skip('this machine has no IPv6')


@pytest.mark.parametrize('host', ['::1', '[::1]', '::'])
def test_a_page_listens_at_an_address_of_ipv6(ipv6, tmp_path, visit, host):
    pytest.importorskip('gradio')
    with open_page(tmp_path, uploads=False, host=host) as page:
        url = f'http://[::1]:{page.url.rpartition(":")[2]}'
        assert visit(url, '/config', 'GET').status_code == 200
        assert visit(url, '/', 'GET', host='rebound.example').status_code == 400


def answer_through(visit, url, **headers):
    """Ask a question through a proxy, as a visitor's browser does; the first person."""
    number = visit(url, **headers).json()['event_id']
    text = visit(url, f'/gradio_api/call/search/{number}', 'GET', **headers).text
    return json.loads(text.partition('data: ')[2].partition('\n')[0])[0][0]['id']


@pytest.mark.parametrize('change', [
    {}, {'proxy_set_header': None}, {'proxy_pass': 'http://127.0.0.1:7860'}],
    ids=['snippet of the guide', 'another Host', 'path left in place'])
def test_a_page_behind_a_reverse_proxy(tmp_path, visit, change):
    pytest.importorskip('gradio')
    location, directives = read_snippet()
    assert (location, set(directives)) == (
        '/people/', {'proxy_pass', 'proxy_set_header', 'proxy_buffering'})
    directives = {key: value for key, value in {**directives, **change}.items() if value}
    port = free_port()
    with open_page(tmp_path, public_url=PUBLIC) as page, proxy_of(
            page.url, port, location, directives):
        url, own = f'http://127.0.0.1:{port}/people', dict(host='search.example.org')
        opened = visit(url, '/', 'GET', **own)
        assert opened.status_code == 200 and f'"root":"{PUBLIC}"' in opened.text
        assert visit(url, '/theme.css', 'GET', **own).status_code == 200
        assert answer_through(visit, url, origin='https://search.example.org', **own) == 'red-blue'
        assert visit(url, origin='https://evil.example', **own).status_code == 403
        assert answer_through(visit, page.url) == 'red-blue', 'a program on this machine'


def test_without_a_public_url_the_refusal_names_it(tmp_path, visit):
    pytest.importorskip('gradio')
    location, directives = read_snippet()
    port = free_port()
    with open_page(tmp_path) as page, proxy_of(page.url, port, location, directives):
        reply = visit(f'http://127.0.0.1:{port}/people', '/', 'GET', host='search.example.org')
    assert reply.status_code == 400 and '"search.example.org"' in reply.text
    assert 'start it with its public URL' in reply.text


# ------------------------------------------------------------------ files on their way
def test_uploads_lie_in_a_private_folder_that_goes_with_the_page(tmp_path, monkeypatch, visit):
    httpx = pytest.importorskip('httpx')
    pytest.importorskip('gradio')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'tmp'))
    (tmp_path / 'tmp/gradio').mkdir(parents=True)
    (tmp_path / 'tmp/gradio').chmod(0o500)  # that of another user
    paint('red').save(tmp_path / 'x.png')
    with open_page(tmp_path) as page:
        place, = httpx.post(f'{page.url}/gradio_api/upload', trust_env=False, files=dict(
            files=('x.png', (tmp_path / 'x.png').read_bytes()))).json()
        folder, = (tmp_path / 'tmp').glob('mmtbps-page-*')
        assert Path(place).is_relative_to(folder) and Path(place).exists()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / 'tmp').rglob('*')] == ['gradio']
    assert str(tmp_path) not in os.environ.get('GRADIO_TEMP_DIR', '')


def test_a_page_that_does_not_open_leaves_no_folder(tmp_path, monkeypatch):
    pytest.importorskip('gradio')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'tmp'))
    (tmp_path / 'tmp').mkdir()
    from mmtbps.search.webui import serve
    with pytest.raises(BadValue, match='must be kept inside'):
        serve(None, tmp_path, tmp_path / '..', port=free_port(), wait=False)
    assert not list((tmp_path / 'tmp').iterdir())


def test_two_pages_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setenv('GRADIO_TEMP_DIR', 'to be put back')
    first, second = PrivateFolder(), PrivateFolder()
    first.remove()
    assert second.path.is_dir() and os.environ['GRADIO_TEMP_DIR'] == str(second.path)
    second.remove()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_page_left_goes_when_the_next_one_opens(tmp_path, monkeypatch):
    pytest.importorskip('fcntl')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setenv('GRADIO_TEMP_DIR', 'to be put back')
    (tmp_path / 'else').mkdir()
    (tmp_path / 'else/x.png').write_bytes(b'of somebody')
    (tmp_path / 'mmtbps-page-link').symlink_to(tmp_path / 'else')
    code = ('import os, signal; from mmtbps.search.webui.private_folder import PrivateFolder\n'
            'place = PrivateFolder().path; (place / "sub").mkdir(); '
            '(place / "sub/x.png").write_bytes(b"of a visitor"); print(place, flush=True)\n'
            'os.kill(os.getpid(), signal.SIGKILL)')
    environment = {**os.environ, 'TMPDIR': str(tmp_path)}
    environment.pop('GRADIO_TEMP_DIR')
    living = PrivateFolder()
    (living.path / 'x.png').write_bytes(b'of a visitor')
    killed = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True,
                            text=True)
    left = Path(killed.stdout.strip())
    assert (left / 'sub/x.png').is_file() and left.parent == tmp_path, killed.stderr
    next_one = PrivateFolder()
    assert not left.exists() and (living.path / 'x.png').is_file()
    for page in (living, next_one):
        page.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['else', 'mmtbps-page-link']
    assert (tmp_path / 'else/x.png').is_file()


# ------------------------------------------------------------------ settings of others
#: Each alone kept the page from opening, or broke it.
OTHERS = dict(GRADIO_ROOT_PATH='/elsewhere', GRADIO_DEBUG='1', GRADIO_WATCH_DIRS='/tmp',
              GRADIO_NUM_PORTS='many', GRADIO_DEFAULT_CONCURRENCY_LIMIT='all',
              GRADIO_ANALYTICS_ENABLED='True', ALL_PROXY='socks5://127.0.0.1:9',
              http_proxy='http://127.0.0.1:9', https_proxy='nonsense://127.0.0.1')


def test_the_environment_of_other_programs_is_hidden_for_a_while(monkeypatch):
    monkeypatch.setenv('GRADIO_TEMP_DIR', 'stays')
    for name, value in OTHERS.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with pytest.raises(KeyError), private_environment():
        assert set(before) - set(os.environ) == set(OTHERS) - {'GRADIO_ANALYTICS_ENABLED'}
        assert os.environ['GRADIO_ANALYTICS_ENABLED'] == 'False'
        raise KeyError
    assert os.environ == before | {'GRADIO_ANALYTICS_ENABLED': 'False'}


@pytest.mark.slow
def test_the_page_opens_in_the_environment_of_other_programs(tmp_path):
    pytest.importorskip('gradio')
    code = ('import sys; from pathlib import Path; from webui_rig import open_page; import httpx\n'
            'with open_page(Path(sys.argv[1]), host="0.0.0.0") as page:\n'
            '    port = page.url.rpartition(":")[2]\n'
            '    print(httpx.get(f"http://127.0.0.1:{port}/config", trust_env=False).text)')
    ended = subprocess.run([sys.executable, '-c', code, tmp_path], env={**os.environ, **OTHERS},
                           cwd=Path(__file__).parents[1], capture_output=True, text=True,
                           timeout=100)
    config = json.loads(ended.stdout.partition('\n')[0])
    assert ended.returncode == 0 and config['analytics_enabled'] is False
    assert config['root'].startswith('http://127.0.0.1:') and 'elsewhere' not in config['root']


def test_gradio_that_cannot_be_imported_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / 'gradio').mkdir()
    (tmp_path / 'gradio/__init__.py').write_text('raise ImportError("no socksio here")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'gradio', raising=False)
    with pytest.raises(MissingPackage, match='lacks something .no socksio here.: pip install'):
        import_gradio()


@pytest.mark.parametrize('host, port, reason', [
    ('127.0.0.1', 0, 'from 1 to 65535'), ('127.0.0.1', 70_000, 'from 1 to 65535'),
    ('192.0.2.1', 8000, 'has no address 192.0.2.1'), ('no such host', 8000, 'has no address'),
    ('127.0.0.1', None, 'another program uses the port')])
def test_an_address_is_refused_in_our_own_words(host, port, reason, tmp_path):
    from mmtbps.search.webui.server import AddressNotFree, serve
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        with pytest.raises(AddressNotFree, match=reason) as caught:
            serve(None, tmp_path, host=host, port=taken.getsockname()[1] if port is None else port)
    assert 'GRADIO' not in str(caught.value)


