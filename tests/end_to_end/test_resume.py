"""A stopped or killed run, resumed, equals the uninterrupted one."""

import re
import signal
import time
from pathlib import Path

import pytest
import torch
from forked_processes import Tool, run_tool
from mmengine.config import Config
from mmengine.runner import Runner
from stopped_runs import train_until
from tiny_models import shrink

from mmtbps.fileio import load_checkpoint_file

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/tbps/vit_bert_pdg_drawn.py'


def shrunk(micro_set, work_dir, **changes):
    """The drawn config with everything random in it: augmentation, dropout, mixup."""
    cfg = shrink(Config.fromfile(CONFIG), micro_set, work_dir)
    cfg.model.text_backbone.config.update(hidden_dropout_prob=0.1)
    cfg.model.mixup.update(prob=0.5, mode='replace')  # which pairs are mixed is drawn, too
    cfg.train_cfg.update(max_epochs=4, val_interval=4)
    cfg.merge_from_dict(changes)
    return cfg


def final_weights(work_dir):
    checkpoint = load_checkpoint_file(work_dir / 'epoch_4.pth')
    return checkpoint['state_dict'], checkpoint['optimizer']


def assert_same(one, other):
    (weights, optimizer), (weights2, optimizer2) = one, other
    assert weights.keys() == weights2.keys()
    for key in weights:
        torch.testing.assert_close(weights[key], weights2[key], atol=1e-6, rtol=0, msg=key)
    for index, state in optimizer['state'].items():
        torch.testing.assert_close(state['exp_avg'], optimizer2['state'][index]['exp_avg'],
                                   atol=1e-6, rtol=0)


@pytest.fixture(scope='module')
def uninterrupted(micro_set, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('whole')
    Runner.from_cfg(shrunk(micro_set, work_dir)).train()
    return final_weights(work_dir)


def test_stopped_after_two_epochs(micro_set, tmp_path, uninterrupted):
    train_until(Runner.from_cfg(shrunk(micro_set, tmp_path)), 2)
    assert not (tmp_path / 'epoch_4.pth').exists()
    resumed = shrunk(micro_set, tmp_path, resume=True)
    resumed.experiment_name += '_resumed'
    Runner.from_cfg(resumed).train()
    assert_same(final_weights(tmp_path), uninterrupted)


def test_killed_in_the_middle_of_an_epoch(micro_set, tmp_path, uninterrupted):
    shrunk(micro_set, tmp_path, **{'default_hooks.logger.interval': 1}).dump(
        tmp_path / 'config.py')
    # With as many threads as here: sums in another order would end in other weights.
    command = [ROOT / 'tools/train.py', tmp_path / 'config.py', '--work-dir', tmp_path]
    run, log, deadline = Tool(command), '', time.monotonic() + 300
    while not re.search(r'Epoch\(train\) +\[3\]', log):
        assert run.returncode is None and time.monotonic() < deadline, log
        log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
        time.sleep(0.005)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert not (tmp_path / 'epoch_3.pth').exists(), 'the signal came too late to test anything'
    done = run_tool([*command, '--resume'])
    assert done.returncode == 0, done.stderr
    assert 'resumed epoch: 2' in done.stdout + done.stderr
    assert_same(final_weights(tmp_path), uninterrupted)
