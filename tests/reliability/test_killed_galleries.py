"""Galleries whose writer is killed at 20 moments, each after it has called something safe."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from campaigns import COUNT, report

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/search'))
from gallery_process import BATCH, FINGERPRINT, batch_of  # noqa: E402
from gallery_rig import process_command  # noqa: E402

from mmtbps.search.galleries import open_gallery  # noqa: E402

pytestmark = pytest.mark.slow
pytest_plugins = 'gallery_fixtures'  # the Milvus server
BATCHES = 40


@pytest.fixture
def place(request, tmp_path):
    """A function: the address of the gallery of a turn."""
    if request.param == 'milvus':
        address = request.getfixturevalue('milvus_address')
        return lambda turn: f'{address}/killed_{turn}'.replace('-', '_')
    if request.param.endswith('.lance'):
        pytest.importorskip('lancedb')

    def folder(turn):
        (tmp_path / str(turn)).mkdir(exist_ok=True)
        return str(tmp_path / str(turn) / request.param)

    return folder


def write(uri, kill_after=None, delay=0.):
    """Write all batches; be killed so long after a batch was called safe.

    Gives the number of the last that was, and the seconds from the first to the last.
    """
    writer = subprocess.Popen(process_command('write', uri, 'w', BATCHES), text=True,
                              stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    safe, first = -1, None
    for line in writer.stdout:
        safe = int(line) if line.strip().isdigit() else safe
        first = first or (time.monotonic() if safe >= 0 else None)
        if safe == kill_after:
            time.sleep(delay)
            os.kill(writer.pid, signal.SIGKILL)
            break
    for line in writer.stdout:
        safe = int(line) if line.endswith('\n') else safe
    lasted = time.monotonic() - (first or 0)
    assert writer.wait() == (0 if kill_after is None else -signal.SIGKILL)
    return safe, lasted


def rows_of(uri):
    """Entry and bytes of the feature by id; an id that comes twice is an error."""
    gallery = open_gallery(uri, FINGERPRINT)
    entries = list(gallery.entries())
    ids = sorted(entry.id for entry in entries)
    assert len(set(ids)) == len(ids) == gallery.count()
    found, features = gallery.get(ids)
    return {entry.id: (entry, feature.tobytes())
            for entry, feature in zip(found, features, strict=True)}


def check_safe(rows, safe):
    """Every batch that was called safe is there to the bit; at most one more, and that whole."""
    whole = len(rows) // BATCH
    assert len(rows) == whole * BATCH + 5 and safe + 1 <= whole <= safe + 2
    for number in range(whole):
        entries, vectors = batch_of('w', number)
        for entry, vector in zip(entries[:BATCH], vectors, strict=False):
            assert rows[entry.id] == (entry, vector.tobytes())
    # Replaced by each batch, and never of two batches.
    entries, vectors = batch_of('w', whole - 1)
    for entry, vector in zip(entries[BATCH:], vectors[BATCH:], strict=True):
        assert rows[entry.id] == (entry, vector.tobytes())
    return whole - safe - 1


@pytest.mark.parametrize('place', ['people', 'people.lance', 'milvus'], indirect=True)
def test_killed_while_it_writes(place, request):
    begin = time.monotonic()
    safe, lasted = write(place('whole'))
    assert safe == BATCHES - 1
    expected = rows_of(place('whole'))
    draw, unsaid, acknowledged = np.random.default_rng(0), 0, 0
    for turn in range(COUNT):
        uri = place(turn)
        after = turn * (BATCHES - 8) // COUNT
        safe, _ = write(uri, kill_after=after, delay=draw.uniform(0, lasted / BATCHES))
        assert after <= safe < BATCHES  # the last one may be safe, and its writer not yet done
        unsaid += check_safe(rows_of(uri), safe)
        acknowledged += safe + 1
        assert write(uri)[0] == BATCHES - 1
        assert rows_of(uri) == expected
        open_gallery(uri).optimize()
        assert rows_of(uri) == expected
    report(f'gallery, {request.node.callspec.id}: {COUNT} kills, {acknowledged} calls called safe, '
           f'all there; {unsaid} more were there that had not been called so; '
           f'{time.monotonic() - begin:.0f} s')
