"""Paths in object stores: names as pathlib's, content as that of a folder, no secrets."""

import errno
import functools
import http.server
import io
import posixpath
import threading
from pathlib import Path, PurePosixPath

import pytest
import torch
from object_store_rig import new_bucket, put

from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.fileio import (
    RemotePath,
    StoreError,
    append_json_lines,
    as_path,
    check_writable,
    durable_folder,
    is_remote,
    iter_json_elements,
    iter_json_lines,
    load_checkpoint_file,
    local_copy,
    open_text,
    refuse_store,
    why_no_file,
    write_durably,
)
from mmtbps.fileio.store_errors import check_no_secret, explained_store

FILES = {'a.txt': b'first', 'sub/b c.txt': b'second one', 'sub/deep/ü.txt': b'dritte',
         'sub.txt': b'beside'}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        (tmp_path / 'top' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'top' / name).write_bytes(data)
    return tmp_path / 'top'


@pytest.fixture
def store(folder):
    address = new_bucket()
    put(folder, f'{address}/top')
    return as_path(f'{address}/top')


# ------------------------------------------------------------------ names
@pytest.mark.parametrize('parts', [
    ('a', ), ('a/b.tar.gz', ), ('a', '..', 'b'), ('./a//b/', ), ('a/b', '../c.txt'), ('.hidden', )])
def test_names_are_those_of_pathlib(parts):
    """pathlib is the reference: the same parts below a folder."""
    remote, local = as_path('s3://bucket/root', *parts), PurePosixPath('/bucket/root')
    for part in parts:
        local = PurePosixPath(posixpath.normpath(local / part))
    assert str(remote) == f's3:/{local}'
    assert (remote.name, remote.stem, remote.suffix) == (local.name, local.stem, local.suffix)
    assert [str(path) for path in remote.parents] == [
        f's3:/{path}' for path in local.parents if path != PurePosixPath('/')]
    assert remote.parent / remote.name == remote and hash(as_path(str(remote))) == hash(remote)
    assert remote.with_suffix('.npy').name == local.with_suffix('.npy').name


def test_what_is_below_a_folder_is_told_by_whole_parts():
    folder, inside, beside = map(as_path, ('s3://b/crops', 's3://b/crops/a/1.jpg', 's3://b/crops2'))
    assert inside.is_relative_to(folder) and not beside.is_relative_to(folder)
    assert inside.relative_to(folder) == PurePosixPath('a/1.jpg')
    assert not inside.is_relative_to('/crops') and Path('/crops') != folder
    with pytest.raises(ValueError, match='s3://b/crops2 is not below s3://b/crops'):
        beside.relative_to(folder)


def test_a_part_that_is_absolute_takes_the_place_of_those_before(tmp_path):
    assert as_path('s3://b/data', tmp_path / 'a.json') == tmp_path / 'a.json'
    assert as_path(tmp_path, 'gs://b/imgs') == as_path('gs://b/imgs')
    assert isinstance(as_path(tmp_path, 'a'), Path) and as_path('GS://b') == as_path('gs://b')


@pytest.mark.parametrize('address, said', [
    ('ftp://host/a', 'ftp:// is not read; known are s3://, gs://'),
    ('s3://', 'names no bucket'),
    ('s3:///a', 'names no bucket'),
    ('s3://bucket/../other', 'leads out of its bucket'),
])
def test_addresses_that_are_none_are_refused(address, said):
    with pytest.raises(BadValue, match=said):
        as_path(address)
    with pytest.raises(BadValue, match='leads out of its bucket'):
        as_path('s3://bucket/a') / '../../other'


@pytest.mark.parametrize('address', [
    's3://hunter1:hunter2@bucket/crops', 'https://me:hunter2@host/crops', 'https://hunter2@host/crops',
    'https://host/crops?X-Amz-Signature=hunter2', 'https://host?token=hunter2',
    's3://hunter1:a/hunter2@bucket/crops', 's3://hunter1:a/b/hunter2@bucket',
    'https://me:a/hunter2@host/crops?x', 'az://crops/a?sv=1&sig=hunter2',
    's3://bucket/a?X-Amz-Credential=hunter2', 'abfs://me:hunter2@host/crops'])
def test_secrets_in_an_address_are_refused_and_not_repeated(address):
    with pytest.raises(BadValue, match='leave user, password and signature out') as refused:
        as_path(address)
    assert 'hunter2' not in str(refused.value) and 'hunter1' not in str(refused.value)


def test_no_other_refusal_repeats_a_secret():
    with pytest.raises(BadValue, match='sftp:// is not read; known are s3://') as refused:
        as_path('sftp://hunter1:hunter2@host/crops')
    assert 'hunter' not in str(refused.value)
    for place in ('s3://hunter1:hunter2@bucket/a.html', Path('s3://hunter1:a/hunter2@bucket/a.html')):
        with pytest.raises(BadValue, match=r's3://\.\.\.@bucket/a.html: leave user') as refused:
            refuse_store(place)
        assert 'hunter' not in str(refused.value)


def test_what_only_looks_like_a_secret_is_a_name():
    check_no_secret('s3://arn:aws:s3:eu-west-1:123:accesspoint/name/a@2x.jpg')
    check_no_secret('https://host:8443/crops/a@2x.jpg')
    check_no_secret('https://[::1]/crops/a@2x.jpg')
    check_no_secret('abfs://container@account.dfs.core.windows.net/crops')
    check_no_secret('s3://bucket/who?.jpg')


# ------------------------------------------------------------------ content
def test_content_is_that_of_the_folder(folder, store):
    listed = {path.relative_to(store).as_posix(): path for path in store.files_below()}
    assert listed.keys() == FILES.keys()
    for name, data in FILES.items():
        path = store / name
        assert listed[name] == path and listed[name].stat() == path.stat()
        assert path.stat().st_size == len(data) and path.stat().st_mtime_ns > 0
        assert path.read_bytes() == data and path.read_bytes(1, 4) == data[1:4]
        assert path.read_text() == data.decode()
        assert (path.is_file(), path.is_dir(), path.exists()) == (True, False, True)
        with local_copy(path) as copy:
            assert copy.name == path.name and copy.read_bytes() == data
        assert not copy.exists()
    assert {path.name for path in store.iterdir()} == {'a.txt', 'sub.txt'}
    assert {path.name for path in store.glob('s*.txt')} == {'sub.txt'}
    assert (store / 'sub').is_dir() and not (store / 'sub').is_file()
    assert not (store / 'su').exists() and not (store / 'su').is_dir()


def test_a_missing_file_is_named(store):
    for read in (RemotePath.read_bytes, RemotePath.stat, RemotePath.open, RemotePath.read_text):
        with pytest.raises(MissingFile, match=f'{store}/none.txt: no such file or folder'):
            read(store / 'none.txt')
    assert why_no_file(store) == 'a folder, no file'
    assert why_no_file(store / 'none', 'no such plan') == 'no such plan'
    assert why_no_file(store / 'a.txt') is None


def test_records_are_read_alike(tmp_path, store):
    rows = [dict(a=number, text='ü' * number) for number in range(30)]
    append_json_lines(tmp_path / 'rows.jsonl', rows)
    (tmp_path / 'rows.json').write_text(str(rows).replace("'", '"'), encoding='utf-8')
    put(tmp_path / 'rows.jsonl', f'{store}/rows.jsonl')
    put(tmp_path / 'rows.json', f'{store}/rows.json')
    assert [row for _, row in iter_json_lines(store / 'rows.jsonl')] == rows
    assert [row for _, row in iter_json_elements(f'{store}/rows.json')] == rows
    with open_text(store / 'rows.jsonl') as file:
        assert file.readline() == '{"a": 0, "text": ""}\n'


def test_a_checkpoint_is_read_alike_and_never_run(tmp_path, store):
    weights = dict(layer=torch.linspace(0, 1, 7))
    torch.save(weights, tmp_path / 'model.pth')
    torch.save(dict(run=print), tmp_path / 'bad.pth')
    put(tmp_path, f'{store}')
    from mmengine.runner import CheckpointLoader
    for load in (load_checkpoint_file, CheckpointLoader.load_checkpoint):
        assert torch.equal(load(f'{store}/model.pth')['layer'], weights['layer'])
    with pytest.raises(Exception, match='bad.pth: refused, because it holds more than weights'):
        load_checkpoint_file(f'{store}/bad.pth')


# ------------------------------------------------------------------ writing
@pytest.mark.parametrize('path', ['s3://b/out.html', Path('s3://b/out.html'), 'https://h/out.html'])
def test_nothing_is_written_to_a_store(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for write in (check_writable, refuse_store, lambda place: write_durably(place, 'text'),
                  lambda place: durable_folder(place).__enter__()):
        with pytest.raises(BadValue, match='://.*out.html: nothing is written to object stores'):
            write(path)
    assert not list(tmp_path.iterdir())


def test_folders_of_this_machine_may_be_called_like_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_durably('s3/out.txt', 'text')
    assert Path('s3/out.txt').read_text() == 'text' and not is_remote('s3/out.txt')


# ------------------------------------------------------------------ errors
class NoCredentialsError(Exception):
    """Named as botocore's."""


@pytest.mark.parametrize('error, kind, said', [
    (NoCredentialsError('Unable to locate credentials'), StoreError, 'no credentials.*AWS_ACCESS'),
    (PermissionError('Access Denied'), StoreError, 'access is denied'),
    (RuntimeError('InvalidAccessKeyId: no such key'), StoreError, 'access is denied'),
    (FileNotFoundError('The specified bucket does not exist'), MissingFile,
     'there is no bucket people'),
    (FileNotFoundError('people/401/a.jpg'), MissingFile, 'no such file or folder'),
    (ImportError('Install s3fs to access S3'), MissingPackage, r'pip install "mmtbps\[s3\]"'),
    (ConnectionError('refused'), StoreError, r'cannot be read \(ConnectionError: refused\)'),
    (OSError(errno.EIO, 'a line\nand a page of advice'), StoreError, 'cannot be read'),
])
def test_errors_of_stores_are_one_line_with_the_remedy(error, kind, said):
    with pytest.raises(kind, match=f's3://people/a.jpg: .*{said}|{said}') as worded:
        with explained_store('s3://people/a.jpg'):
            raise error
    assert '\n' not in str(worded.value) and worded.value.__cause__ is error


def test_an_error_of_ours_passes_as_it_is():
    with pytest.raises(BadValue, match='^mine$'), explained_store('s3://people'):
        raise BadValue('mine')


# ------------------------------------------------------------------ web
def test_a_web_folder_is_read_by_its_links_and_not_left(folder):
    """A page that links to its parent and to other sites: only what is below is read."""
    pytest.importorskip('aiohttp', reason='aiohttp is not installed: pip install "mmtbps[http]"')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def list_directory(self, path):
            page = super().list_directory(path).read()
            more = (b'<a href="/">up</a><a href="https://example.org/x.txt">x</a>'
                    b'<a href="?C=M">m</a>')
            return io.BytesIO(page.replace(b'</ul>', more + b'</ul>'))

        def end_headers(self):
            if self.headers and not self.path.endswith('.txt'):
                self._headers_buffer = [line for line in self._headers_buffer
                                        if not line.lower().startswith(b'content-length')]
            super().end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), functools.partial(Handler, directory=str(folder.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        store = as_path(f'http://127.0.0.1:{server.server_port}/top')
        assert {path.relative_to(store).as_posix(): path.read_bytes()
                for path in store.files_below()} == FILES
        assert store.is_dir() and (store / 'sub/b c.txt').is_file()
        assert (store / 'a.txt').stat() == (5, None)
        assert not (store / 'none').exists() and not (store / 'a.txt').is_dir()
        with pytest.raises(MissingFile, match='/top/none.txt: no such file or folder'):
            (store / 'none.txt').read_bytes()
    finally:
        server.shutdown()
        server.server_close()
