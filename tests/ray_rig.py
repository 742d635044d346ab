"""Work for the actors of a cluster, and the cluster: in a namespace without a network."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mmtbps.clusters import ActorNeeds, RayPool

ROOT = Path(__file__).resolve().parents[1]
#: Folders of the modules that a process of the cluster imports.
IMPORTED = [ROOT, ROOT / 'tests', ROOT / 'tests/search', ROOT / 'tests/generation',
            ROOT / 'tests/clusters']


def why_not():
    """The reason for which Ray cannot be tried here; None if it can."""
    if importlib.util.find_spec('ray') is None:
        return 'Ray is not installed: pip install "mmtbps[ray]"'
    tried = subprocess.run(['unshare', '-n', 'ip', 'link', 'set', 'lo', 'up'], capture_output=True)
    return None if tried.returncode == 0 else (
        'Ray listens on all interfaces: it is tried in a network namespace, which needs root')


def on_ray(module, function, *arguments, timeout=500):
    """Call a function of a test module in a process without a network; its JSON answer."""
    if reason := why_not():
        pytest.skip(reason)
    code = (f'import json, sys, {module}\n'
            f'print("ANSWER", json.dumps({module}.{function}(*sys.argv[1:])))')
    # Of a short name: sockets lie in it.
    with tempfile.TemporaryDirectory(prefix='r', ignore_cleanup_errors=True) as ray_files:
        done = subprocess.run(
            ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', sys.executable,
             '-c', code, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
            env=os.environ | dict(PYTHONPATH=os.pathsep.join(map(str, IMPORTED)),
                                  OMP_NUM_THREADS='1', RAY_worker_niceness='0',
                                  RAY_TMPDIR=ray_files))
    assert 'ANSWER' in done.stdout, done.stderr[-4000:]
    return json.loads(done.stdout.rpartition('ANSWER')[2]), done.stdout + done.stderr


def small_pool(count=2):
    """Two small actors, that also two CPUs have room for."""
    return RayPool(None, ActorNeeds(cpus=.4, count=count))
