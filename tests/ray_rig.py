"""Work for the actors of a cluster, and the cluster: in a namespace without a network."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mmtbps.clusters import ActorNeeds, RayPool

ROOT = Path(__file__).resolve().parents[1]
#: Folders of the modules that a process of the cluster imports.
IMPORTED = [ROOT, ROOT / 'tests', ROOT / 'tests/search', ROOT / 'tests/generation',
            ROOT / 'tests/clusters', ROOT / 'tools']
#: Beginning of the command line of a process without a network.
_ALONE = ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"']


def why_not():
    """The reason for which Ray cannot be tried here; None if it can."""
    if importlib.util.find_spec('ray') is None:
        return 'Ray is not installed: pip install "mmtbps[ray]"'
    tried = subprocess.run(['unshare', '-n', 'ip', 'link', 'set', 'lo', 'up'], capture_output=True)
    return None if tried.returncode == 0 else (
        'Ray listens on all interfaces: it is tried in a network namespace, which needs root')


def on_ray(module, function, *arguments, timeout=500):
    """Call a function of a test module in a process without a network; its JSON answer."""
    code = (f'import json, sys, {module}\n'
            f'print("ANSWER", json.dumps({module}.{function}(*sys.argv[1:])))')
    with python_alone('-c', code, *arguments) as process:
        out, said = process.communicate(timeout=timeout)
    assert 'ANSWER' in out, said[-4000:]
    return json.loads(out.rpartition('ANSWER')[2]), out + said


@contextlib.contextmanager
def python_alone(*words, cwd=None):
    """Start Python, in a session without a network, as one that may start Ray."""
    if reason := why_not():
        pytest.skip(reason)
    # Of a short name: sockets lie in it.
    with tempfile.TemporaryDirectory(prefix='r', ignore_cleanup_errors=True) as ray_files:
        process = subprocess.Popen(
            [*_ALONE, sys.executable, *map(str, words)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=cwd, start_new_session=True,
            env=os.environ | dict(PYTHONPATH=os.pathsep.join(map(str, IMPORTED)),
                                  OMP_NUM_THREADS='1', RAY_worker_niceness='0',
                                  RAY_TMPDIR=ray_files))
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


def command_on_ray(*words, cwd=None, timeout=500):
    """Run a command of ours on two small actors; its exit code and what it printed."""
    with python_alone('-m', 'mmtbps', *words, '--ray', '--ray-actors', '2', '--ray-cpus', '.4',
                      cwd=cwd) as process:
        out, said = process.communicate(timeout=timeout)
    return process.returncode, out, said


def small_pool(count=2):
    """Two small actors, that also two CPUs have room for."""
    return RayPool(None, ActorNeeds(cpus=.4, count=count))
