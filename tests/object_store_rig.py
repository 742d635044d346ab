"""Object stores for the tests: fsspec's in this process's memory, and servers of this machine.

Amazon's is moto's server, Google's the package gcp-storage-emulator, Microsoft's azurite.
"""

import itertools
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

_BUCKETS = itertools.count()


def new_bucket():
    """Address of a bucket that no other test uses; it is there when something is put into it."""
    pytest.importorskip('fsspec', reason='fsspec is not installed')
    return f'memory://bucket-{os.getpid()}-{next(_BUCKETS)}'


def put(folder, address):
    """Copy a file, or what is below a folder, into the memory of this process."""
    from fsspec import filesystem
    store = filesystem('memory')
    for path in [folder] if folder.is_file() else folder.rglob('*'):
        if path.is_file():
            below = '' if folder.is_file() else f'/{path.relative_to(folder).as_posix()}'
            store.pipe(f'{address}{below}', path.read_bytes())


@contextmanager
def s3_server(monkeypatch):
    """Amazon's store on this machine alone: a client of boto3, by which tests fill it."""
    needs = 'pip install "mmtbps[s3]" "moto[server]"'
    pytest.importorskip('s3fs', reason=f's3fs is not installed: {needs}')
    server = pytest.importorskip('moto.server', reason=f'moto is not installed: {needs}')
    import boto3
    import s3fs
    for name in [*os.environ]:
        if name.startswith('AWS_'):
            monkeypatch.delenv(name)
    thread = server.ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
    thread.start()
    host, port = thread.get_host_and_port()
    urlopen(Request(f'http://{host}:{port}/moto-api/reset', method='POST')).close()
    for name, value in dict(ENDPOINT_URL=f'http://{host}:{port}', ACCESS_KEY_ID='tester',
                            SECRET_ACCESS_KEY='not-to-be-noted', DEFAULT_REGION='us-east-1',
                            EC2_METADATA_DISABLED='true', CONFIG_FILE='/nowhere',
                            SHARED_CREDENTIALS_FILE='/nowhere').items():
        monkeypatch.setenv(f'AWS_{name}', value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        yield boto3.client('s3')
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        thread.stop()


def put_s3(client, folder, bucket, prefix=''):
    """Copy what is below a folder into a bucket, which is made."""
    client.create_bucket(Bucket=bucket)
    for path in folder.rglob('*'):
        if path.is_file():
            client.put_object(Bucket=bucket, Body=path.read_bytes(),
                              Key=prefix + path.relative_to(folder).as_posix())


class S3:
    """A bucket of moto's server; so are `Gs` and `Az` of theirs."""

    root = 's3://people'

    def __init__(self, client):
        self.client = client
        client.create_bucket(Bucket='people')

    def put(self, name, data):
        self.client.put_object(Bucket='people', Key=name, Body=data)

    def delete(self, name):
        self.client.delete_object(Bucket='people', Key=name)


class Written:
    """A bucket that is filled by its own package of fsspec."""

    def __init__(self, store, root):
        self.store, self.root = store, root

    def put(self, name, data):
        self.store.pipe_file(f'{self.root}/{name}', data)

    def delete(self, name):
        self.store.rm_file(f'{self.root}/{name}'.partition('://')[2])


def put_folder(store, folder, prefix=''):
    """Copy what is below a folder into a bucket."""
    for path in folder.rglob('*'):
        if path.is_file():
            store.put(prefix + path.relative_to(folder).as_posix(), path.read_bytes())


@contextmanager
def s3_store(monkeypatch, tmp_path):
    """Amazon's store with its bucket."""
    with s3_server(monkeypatch) as client:
        yield S3(client)


@contextmanager
def gs_store(monkeypatch, tmp_path):
    """Google's store with its bucket; the emulator asks for no credentials."""
    # Read when gcsfs is imported: else it asks about buckets by gRPC, which no emulator speaks.
    monkeypatch.setenv('GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT', 'false')
    gcsfs = pytest.importorskip('gcsfs', reason='no gcsfs: pip install "mmtbps[gs]"')
    emulator = pytest.importorskip(
        'gcp_storage_emulator.server', reason='no emulator: pip install gcp-storage-emulator')
    server = emulator.create_server('127.0.0.1', port := free_port(), in_memory=True)
    server.start()
    monkeypatch.setenv('STORAGE_EMULATOR_HOST', address := f'http://127.0.0.1:{port}')
    monkeypatch.setenv('FSSPEC_GS_TOKEN', 'anon')
    urlopen(Request(f'{address}/storage/v1/b?project=test', b'{"name": "people"}',
                    {'Content-Type': 'application/json'})).close()
    gcsfs.GCSFileSystem.clear_instance_cache()
    try:
        yield Written(gcsfs.GCSFileSystem(token='anon', endpoint_url=address), 'gs://people')
    finally:
        gcsfs.GCSFileSystem.clear_instance_cache()
        server.stop()


@contextmanager
def az_store(monkeypatch, tmp_path):
    """Microsoft's store with its container; the key is a random one."""
    adlfs = pytest.importorskip('adlfs', reason='no adlfs: pip install "mmtbps[az]"')
    if (program := shutil.which('azurite-blob')) is None:
        pytest.skip('no azurite-blob among the programs: npm install -g azurite')
    port = free_port()
    process = subprocess.Popen(
        [program, '--blobHost', '127.0.0.1', '--blobPort', str(port), '--location',
         tmp_path / 'azurite', '--skipApiVersionCheck', '--silent', '--disableTelemetry'],
        env=os.environ | dict(AZURITE_ACCOUNTS=f'tester:{AZURE_KEY}'))
    try:
        wait_for(port)
        monkeypatch.setenv('AZURE_STORAGE_CONNECTION_STRING', connection := (
            f'DefaultEndpointsProtocol=http;AccountName=tester;AccountKey={AZURE_KEY};'
            f'BlobEndpoint=http://127.0.0.1:{port}/tester;'))
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        store = adlfs.AzureBlobFileSystem(connection_string=connection)
        store.mkdir('people')
        yield Written(store, 'az://people')
    finally:
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        process.terminate()
        process.wait(30)


#: A key of this form alone is taken; the words in it are looked for in all that is written.
AZURE_KEY = 'bm90LXRvLWJlLW5vdGVkLW5vdC10by1iZS1ub3RlZC0='
STORES = dict(s3=s3_store, gs=gs_store, az=az_store)


def free_port():
    """Find a port of this machine that nobody listens at."""
    with socket.socket() as asked:
        asked.bind(('127.0.0.1', 0))
        return asked.getsockname()[1]


def wait_for(port, seconds=60):
    """Wait until somebody listens at a port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(.1)
