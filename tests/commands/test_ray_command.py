"""Commands on a cluster: what they refuse, and the same gallery as without one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from ray_rig import ROOT, why_not

from mmtbps.commands.main import run_command
from mmtbps.search import open_gallery

pytest_plugins = 'named_model_fixtures'  # `folders`, `crops` and `refused`


@pytest.mark.parametrize('words, said', [
    (['--ray', '--shard', '1/2'], '--ray shares out all of the work, and shard 1/2'),
    (['--ray-actors', '2'], '--ray-actors is about the actors of --ray; name both'),
    (['--ray', '--ray-cpus', '0'], 'more than 0 CPUs')])
def test_what_does_not_fit_is_refused_before_a_model_is_loaded(tmp_path, refused, words, said):
    with refused(said):
        run_command('index', [str(tmp_path / 'g.lance'), str(tmp_path), '--model', 'hf:no/such',
                              *words])


def test_ray_missing_is_one_line(tmp_path, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    monkeypatch.delitem(sys.modules, 'ray.data', raising=False)
    with refused(r'a cluster needs Ray: pip install "mmtbps\[ray\]"'):
        run_command('index', [str(tmp_path / 'g.lance'), str(tmp_path), '--model', 'hf:no/such',
                              '--ray'])


@pytest.mark.slow
def test_the_command_makes_the_gallery_of_one_process(folders, crops, tmp_path):
    if reason := why_not():
        pytest.skip(reason)
    words = [str(crops), '--model', f'hf:{folders("siglip")}', '--quiet']
    run_command('index', [str(tmp_path / 'one.lance'), *words])
    done = subprocess.run(
        ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', sys.executable, '-m',
         'mmtbps', 'index', 'ray.lance', *words, '--json', '--ray', '--ray-actors', '2',
         '--ray-cpus', '.4'], capture_output=True, text=True, timeout=500, cwd=tmp_path,
        env=os.environ | dict(PYTHONPATH=str(ROOT), RAY_worker_niceness='0'))
    assert done.returncode == 0, done.stderr[-4000:]
    answer = json.loads(done.stdout)
    one, there = (open_gallery(tmp_path / name) for name in ('one.lance', 'ray.lance'))
    ids = sorted(entry.id for entry in one.entries())
    assert answer['indexed'] == answer['entries'] == there.count() == len(ids) > 2
    assert there.get(ids)[0] == one.get(ids)[0]
    np.testing.assert_allclose(there.get(ids)[1], one.get(ids)[1], atol=1e-5)
