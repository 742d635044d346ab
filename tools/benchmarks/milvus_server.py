"""Milvus Lite server of a benchmark or test, on this machine only; the end of a collection."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from mmtbps.search.galleries.milvus_address import channel_options, split_address


@contextlib.contextmanager
def milvus_server(folder: Path, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen]]:
    """Start the server, wait for it, and stop it at the end.

    Args:
        folder: Folder of its data.
        port: Port it listens on; a free one by default.

    Yields:
        ``http://127.0.0.1:port`` and the process.
    """
    for attempts_left in (2, 1, 0):
        at = port or free_port()
        server = subprocess.Popen(
            [sys.executable, '-m', 'milvus_lite', 'server', '--data-dir', str(folder),
             '--host', '127.0.0.1', '--port', str(at)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            wait_for(at, server)
            break
        except BaseException as error:
            stop(server)
            # Somebody may have taken the free port before the server came to it.
            if port or not attempts_left or not isinstance(error, RuntimeError):
                raise
    try:
        yield f'http://127.0.0.1:{at}', server
    finally:
        stop(server)


def stop(server: subprocess.Popen) -> None:
    """End the server and wait until it is gone."""
    server.terminate()
    try:
        server.communicate(timeout=300)  # it may have much to write
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()


def free_port() -> int:
    """Find a port on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for(port: int, server: subprocess.Popen, seconds: float = 60) -> None:
    """Wait until the server takes connections.

    Raises:
        RuntimeError: If it ends, or takes none in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f'the Milvus server ended: {server.stderr.read().decode()[-500:]}')
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
            return
        time.sleep(.05)
    raise RuntimeError(f'the Milvus server took no connection in {seconds:.0f} s')


def drop_collection(uri: str) -> None:
    """Drop the collection of a gallery from its server, if it is there."""
    from pymilvus import MilvusClient
    server, database, name = split_address(uri)
    client = MilvusClient(server, token=os.environ.get('MILVUS_TOKEN', ''), db_name=database,
                          grpc_options=channel_options(server))
    client.drop_collection(name)
    client.close()
