"""Object stores for the tests: fsspec's in this process's memory, and Amazon's by moto's server."""

import itertools
import os
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
