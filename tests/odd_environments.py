"""Run the test suite where tests like to fail: in another order, place, language or person.

Arguments after ``--`` go to pytest::

    python tests/odd_environments.py                          # all of them, an hour on two cores
    python tests/odd_environments.py path stranger -- tests/search -x
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534
#: Variables that say where files of a user lie; without them it is HOME.
PLACES = ('XDG_', 'HF_', 'TORCH_HOME', 'TORCHINDUCTOR_', 'TRANSFORMERS_', 'MPLCONFIGDIR', 'TMPDIR',
          'PYTEST_', 'USER', 'LOGNAME', 'GRADIO_')
#: As left by a scheduler, a proxy, a shell of somebody else.
LEFTOVERS = dict(
    RANK='3', LOCAL_RANK='1', WORLD_SIZE='4', LOCAL_WORLD_SIZE='2', MASTER_ADDR='10.0.0.1',
    MASTER_PORT='29500', SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1', NNODES='2',
    NODE_RANK='1', PORT='29501', CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='3',
    MILVUS_TOKEN='root:old', HTTP_PROXY='http://127.0.0.1:9', HTTPS_PROXY='http://127.0.0.1:9',
    http_proxy='http://127.0.0.1:9', https_proxy='http://127.0.0.1:9', COLUMNS='40', LINES='10',
    FORCE_COLOR='1', PYTHONWARNINGS='default', TOKENIZERS_PARALLELISM='true',
    GRADIO_SERVER_PORT='1', GRADIO_ROOT_PATH='/people', HF_HUB_OFFLINE='1')


class Impossible(Exception):
    """An environment that this machine or user cannot make."""


@dataclass
class Suite:
    """The tests, started by ``python`` with ``arguments`` in a folder for throw-away files."""

    python: str
    arguments: list[str]
    scratch: Path

    def run(self, *words: str, checkout: Path = ROOT, cwd: Path | None = None,
            change: dict[str, str] | None = None, drop: Sequence[str] = (), **process) -> bool:
        """Say and start one run.

        Args:
            words: More arguments for pytest, before those of the user.
            checkout: Source tree to test.
            cwd: Folder to start in, if not that one.
            change: Environment variables to set.
            drop: First letters of variables to leave out.
            process: For ``subprocess``.

        Returns:
            Nothing has failed; no tests at all count as success.
        """
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(tuple(drop))}
        environment |= {'PYTHONPATH': str(checkout)} | (change or {})
        tests = [str(checkout / word) if word.startswith('tests') else word
                 for word in (*words, *self.arguments)]
        command = [self.python, '-m', 'pytest', '-c', str(checkout / 'pyproject.toml'),
                   '--rootdir', str(checkout), '-p', 'no:cacheprovider', *tests]
        if not any(word.startswith(str(checkout / 'tests')) for word in tests):
            command.append(str(checkout / 'tests'))
        print('$', *command, flush=True)
        done = subprocess.run(command, cwd=cwd or checkout, env=environment, **process)
        return done.returncode in (0, 5)

    def folder(self, name: str) -> Path:
        """A new folder for throw-away files."""
        folder = self.scratch / name
        folder.mkdir(parents=True)
        return folder


def in_random_order(suite: Suite) -> bool:
    """Three random orders."""
    seeds = [str(random.SystemRandom().getrandbits(32)) for _ in range(3)]
    return all([suite.run('-p', 'randomly', f'--randomly-seed={seed}') for seed in seeds])


def each_folder_alone(suite: Suite) -> bool:
    """Every folder of tests in a run of its own, then the files beside the folders."""
    folders = sorted({path.parent for path in (ROOT / 'tests').rglob('test_*.py')})
    runs = [[folder.relative_to(ROOT).as_posix()] for folder in folders[1:]]
    runs.append([path.relative_to(ROOT).as_posix() for path in (ROOT / 'tests').glob('test_*.py')])
    return all([suite.run(*paths) for paths in runs])


def in_a_strange_path(suite: Suite) -> bool:
    """A copy in a path with spaces and letters beyond ASCII, started from elsewhere."""
    place = suite.folder('Größe und Länge, 尺寸')
    temporary = suite.folder('temporary files é')
    copy_checkout(place / 'the copy')
    return suite.run(checkout=place / 'the copy', cwd=temporary, change=dict(
        TMPDIR=str(temporary)))


def as_a_stranger(suite: Suite) -> bool:
    """Nobody: no rights, no home to write to, no name; LANG=C, umask 077, another time zone."""
    checkout, home, temporary = suite.folder('checkout'), suite.folder('home'), suite.folder('t')
    copy_checkout(checkout)
    process = dict(umask=0o077)
    if os.geteuid() == 0:
        process |= dict(user=NOBODY, group=NOBODY, extra_groups=[])
        os.chown(temporary, NOBODY, NOBODY)
        if not starts(suite.python, temporary, process):
            raise Impossible(f'user {NOBODY} cannot start {suite.python} or not import pytest; '
                             'name a Python for everybody with --python')
    else:
        print('You are not root, so the tests run as you: with your rights and your name.')
    for path in (home, checkout, *checkout.rglob('*')):
        path.chmod(0o555 if path.is_dir() else 0o444 | path.stat().st_mode & 0o111)
    return suite.run(checkout=checkout, drop=(*PLACES, 'LC_', 'LANG'), **process, change=dict(
        HOME=str(home), TMPDIR=str(temporary), LANG='C', LC_ALL='C', TZ='XYZ-13:45'))


def starts(python: str, folder: Path, process: dict) -> bool:
    """Try to start Python with pytest."""
    try:
        return not subprocess.run([python, '-c', 'import pytest'], cwd=folder, **process,
                                  stderr=subprocess.DEVNULL).returncode
    except OSError:
        return False


def in_ascii(suite: Suite) -> bool:
    """Python reads and writes text as ASCII where nobody says otherwise."""
    return suite.run(drop=('LC_', 'LANG'), change=dict(
        LC_ALL='C', PYTHONUTF8='0', PYTHONCOERCECLOCALE='0'))


def among_leftovers(suite: Suite) -> bool:
    """Environment variables of a batch job, a dead proxy and a narrow terminal."""
    return suite.run(change=LEFTOVERS)


def copy_checkout(target: Path) -> None:
    """Copy what git would commit, with changes that are not committed.

    Raises:
        Impossible: If the tests do not lie in a git checkout.
    """
    listed = subprocess.run(['git', 'ls-files', '-zco', '--exclude-standard'], cwd=ROOT,
                            capture_output=True)
    if listed.returncode:
        raise Impossible(f'{ROOT} is no git checkout, so there is nothing to copy')
    for name in filter(None, os.fsdecode(listed.stdout).split('\0')):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


ENVIRONMENTS: dict[str, Callable[[Suite], bool]] = dict(
    random=in_random_order, folders=each_folder_alone, path=in_a_strange_path,
    stranger=as_a_stranger, ascii=in_ascii, leftovers=among_leftovers)


def parse(words: list[str]) -> argparse.Namespace:
    """The command line; what stands behind ``--`` is for pytest."""
    listed = '\n'.join(f'  {name:10} {function.__doc__.splitlines()[0]}'
                       for name, function in ENVIRONMENTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f'environments:\n{listed}')
    parser.add_argument('environments', nargs='*', metavar='ENVIRONMENT',
                        help='which ones; all if none is named')
    parser.add_argument('--python', default=sys.executable,
                        help='Python with the packages of the tests (default: this one)')
    at = words.index('--') if '--' in words else len(words)
    args = parser.parse_args(words[:at])
    args.pytest = words[at + 1:]
    if unknown := set(args.environments) - ENVIRONMENTS.keys():
        parser.error(f'no environment {", ".join(unknown)}; there are {", ".join(ENVIRONMENTS)}')
    return args


def main(words: list[str]) -> int:
    """Run the environments one after the other; 1 if tests fail in one of them."""
    args, results = parse(words), {}
    for name in args.environments or ENVIRONMENTS:
        print(f'== {name}: {ENVIRONMENTS[name].__doc__.splitlines()[0]}', flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix='odd_', ignore_cleanup_errors=True) as scratch:
            os.chmod(scratch, 0o755)
            try:
                passed = ENVIRONMENTS[name](Suite(args.python, args.pytest, Path(scratch)))
                result = 'passed' if passed else 'FAILED'
            except Impossible as error:
                result = f'skipped: {error}'
        results[name] = f'{result} ({time.monotonic() - start:.0f} s)'
    for name, result in results.items():
        print(f'{name:10} {result}')
    return int(any(result.startswith('FAILED') for result in results.values()))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
