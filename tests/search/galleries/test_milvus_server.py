"""The Milvus server itself, 2.3.5: the tests of all galleries, and kills under writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gallery_process import BATCH, batch_of
from gallery_rig import process_command
from real_milvus import RealMilvus, reason_to_skip

ROOT = Path(__file__).parents[3]
TURNS = 5
# Its collections are of a kind that no server before 2.5 takes, or it starts Milvus Lite.
NOT_HERE = 'earlier_versions or own_columns or kill_9'


@pytest.fixture
def server(tmp_path):
    if reason := reason_to_skip():
        pytest.skip(reason)
    server = RealMilvus(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.close()


def environment(**more):
    return {**os.environ, 'PYTHONPATH': str(ROOT), **more}


@pytest.mark.slow
def test_the_tests_of_all_galleries_pass_on_the_server(server):
    done = subprocess.run(server.inside(
        sys.executable, '-m', 'pytest', '-n', 0, '-p', 'no:randomly', '-rf', '-q', '-k',
        f'milvus and not ({NOT_HERE})', *sorted(Path(__file__).parent.glob('test_*.py'))),
        cwd=ROOT, env=environment(MMTBPS_MILVUS_ADDRESS=server.address), capture_output=True,
        text=True)
    print(done.stdout[-3000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_kills_of_the_server_lose_nothing_that_was_acknowledged(server):
    """With few collections: with more than 16, this old server has lost rows at such kills."""
    uris = [f'{server.address}/killed_{i}' for i in range(2)]
    acknowledged = {}
    for turn in range(TURNS):
        uri, name = uris[turn % 2], f'w{turn}'
        writer = subprocess.Popen(
            server.inside(*process_command('write', uri, name, 100_000)), env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [writer.stdout.readline() for _ in range(8 + turn)]
        server.kill()
        out, problems = writer.communicate(timeout=300)
        assert writer.returncode and 'GalleryUnreadable' in problems, problems[-2000:]
        safe = [int(line) for line in [*lines, *out.splitlines()] if line.strip().isdigit()]
        assert len(safe) >= 7 + turn
        acknowledged[uri, name] = max(safe)
        server.start()
        for uri in uris[:turn + 1]:
            found = read(server, uri)
            wanted = {which: last for (where, which), last in acknowledged.items() if where == uri}
            print(turn, uri, len(found), wanted)
            check_all_there(found, wanted)


def read(server, uri):
    """All entries of a gallery with their vectors, by id."""
    done = subprocess.run(server.inside(*process_command('read', uri)), env=environment(),
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = {entry['id']: (entry, vector) for entry, vector in rows}
    assert len(found) == len(rows)
    return found


def check_all_there(found, wanted):
    """Every acknowledged batch is there as it was, and no batch by half."""
    for name, last in wanted.items():
        for number in range(last + 1):
            for entry, vector in [*zip(*batch_of(name, number), strict=True)][:BATCH]:
                assert entry.id in found, f'batch {number} of {name} was acknowledged'
                stored, feature = found[entry.id]
                assert (stored['path'], stored['frame']) == (entry.path, number)
                np.testing.assert_allclose(feature, vector, atol=1e-6)
        own = [key.rpartition('-')[0] for key in found if key.startswith(f'{name}-')]
        assert all(own.count(batch) == BATCH for batch in set(own))
        assert len(set(own)) <= last + 2
