"""Commands on a cluster: what they refuse, and the same gallery as without one."""

import json
import os
import signal
import sys
import time

import numpy as np
import pytest
from PIL import Image
from ray_rig import command_on_ray, python_alone

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
    words = [str(crops), '--model', f'hf:{folders("siglip")}', '--quiet']
    code, out, said = command_on_ray('index', 'ray.lance', *words, '--json', cwd=tmp_path)
    assert code == 0, said[-4000:]
    run_command('index', [str(tmp_path / 'one.lance'), *words])
    answer = json.loads(out)
    one, there = (open_gallery(tmp_path / name) for name in ('one.lance', 'ray.lance'))
    ids = sorted(entry.id for entry in one.entries())
    assert answer['indexed'] == answer['entries'] == there.count() == len(ids) > 2
    assert there.get(ids)[0] == one.get(ids)[0]
    np.testing.assert_allclose(there.get(ids)[1], one.get(ids)[1], atol=1e-5)


@pytest.fixture
def many(tmp_path):
    """A folder of so many crops that a run can be stopped in their middle."""
    draw = np.random.default_rng(1)
    (tmp_path / 'many').mkdir()
    for number in range(1500):
        Image.fromarray(draw.integers(0, 256, (32, 12, 3), dtype=np.uint8)).save(
            tmp_path / f'many/{number:04}.png')
    return tmp_path / 'many'


@pytest.mark.slow
@pytest.mark.parametrize('by, word', [(signal.SIGINT, 'interrupted'),
                                      (signal.SIGTERM, 'terminated')])
def test_a_stopped_run_keeps_what_it_has_and_goes_on(folders, many, tmp_path, by, word):
    words = ['index', 'people.lance', str(many), '--model', f'hf:{folders("siglip")}', '--quiet',
             '--commit-every', '16', '--batch-size', '16', '--log', 'log.jsonl']
    log = tmp_path / 'log.jsonl'
    with python_alone('-m', 'mmtbps', *words, '--ray', '--ray-actors', '2', '--ray-cpus', '.4',
                      cwd=tmp_path) as process:
        while not log.exists() and process.poll() is None:
            time.sleep(.05)
        if by == signal.SIGINT:  # reaches all processes of a terminal
            os.killpg(process.pid, by)
        else:
            process.send_signal(by)
        out, said = process.communicate(timeout=120)
    assert process.returncode == 128 + by, said
    lines = said.splitlines()
    assert lines[-1] == f'error: {word}. What was stored is safe; the same command goes on'
    assert 'Traceback' not in said and [line[:6] for line in lines].count('error:') == 1
    stored = open_gallery(tmp_path / 'people.lance').count()
    assert 0 < len(log.read_text().splitlines()) <= stored < 1500
    code, out, said = command_on_ray(*words, '--json', cwd=tmp_path)
    assert code == 0, said[-4000:]
    answer = json.loads(out)
    assert answer['entries'] == 1500 == answer['indexed'] + answer['unchanged']
    assert answer['unchanged'] >= stored
