"""A PostgreSQL server on a disk that gets full, then larger, in a mount namespace of its own.

    unshare -m python postgres_small_disk.py WHAT MEGABYTES DISK > report.json

WHAT lies on it: all data, the tables or the log of writing. Batches go to a gallery until one is
refused.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gallery_process import BATCH, FINGERPRINT, batch_of

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))
from benchmarks.postgres_server import postgres_server  # noqa: E402

from mmtbps.errors import UserError  # noqa: E402
from mmtbps.search.galleries import open_gallery  # noqa: E402


def main(what, size, disk):
    """Fill it, make room, and go on."""
    mount(f'size={size}m', disk)
    os.chmod(disk, 0o777)
    tempfile.tempdir = disk if what == 'data' else None
    with postgres_server() as server:
        os.environ.update(server.environment)
        {'data': lambda *_: None, 'tables': move_tables, 'log': move_log}[what](server, disk)
        gallery = open_gallery(f'{server.address}/people', FINGERPRINT)
        report = fill(gallery)
        mount('remount,size=1g', disk)
        if gave_up(server):
            server.stop()
            server.start()
        report['left'] = gallery.count({'by': 'ann'})
        report['after'] = go_on(gallery, report['acknowledged'])
    json.dump(report, sys.stdout)


def mount(options, disk):
    subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'none', disk], check=True)


def move_tables(server, disk):
    """Let the server keep tables on the disk."""
    import psycopg
    space = Path(disk) / 'space'
    space.mkdir()
    if os.geteuid() == 0:
        shutil.chown(space, 65534, 65534)
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute(f"create tablespace small location '{space}'")
        connection.execute('alter role mmtbps set default_tablespace = small')


def move_log(server, disk):
    """Let the server keep its log of writing on the disk."""
    server.stop()
    log = server.folder / 'pg_wal'
    subprocess.run(['cp', '-a', log, disk], check=True)
    shutil.rmtree(log)
    log.symlink_to(Path(disk) / 'pg_wal')
    server.start()


def gave_up(server, seconds=5):
    """Tell whether the server ended, as it may where it cannot write its log."""
    try:
        server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def batch(number):
    """Entries that take room: each with text that is kept beside the row, too odd to shrink."""
    entries, vectors = batch_of('ann', number)
    for entry in entries:
        entry.extra['note'] = os.urandom(20_000).hex()
    return entries, vectors


def fill(gallery):
    """Write batches until the disk is full; the line that says so, and how many are safe."""
    for number in range(2_000):
        try:
            gallery.upsert(*batch(number))
        except UserError as error:
            return dict(said=str(error), acknowledged=number)
    raise SystemExit('the disk was never full')


def go_on(gallery, number):
    """Write the refused batch and another; all that is there, batch by batch."""
    for each in (number, number + 1):
        gallery.upsert(*batch(each))
    found = [entry.id for entry in gallery.entries() if entry.id.startswith('ann')]
    expected = [f'ann-{each}-{i}' for each in range(number + 2) for i in range(BATCH)]
    hits = gallery.search(batch_of('ann', number)[1][:1], 1)
    return dict(complete=sorted(found) == sorted(expected), first=hits[0][0].entry.id)


if __name__ == '__main__':
    main(*sys.argv[1:])
