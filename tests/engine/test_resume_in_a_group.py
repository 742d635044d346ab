"""A run of two processes that goes on: equal to the uninterrupted one of two processes."""

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from process_group import run_in_group
from stopped_runs import train_until

from mmtbps.engine.launch import build_runner
from mmtbps.engine.run_folder import choose_start
from mmtbps.engine.run_settings import ChangedSettings
from mmtbps.fileio import load_checkpoint_file

pytestmark = pytest.mark.slow
EPOCHS = 3
SETTINGS = {
    'workers that persist': {'train_dataloader.num_workers': 2,
                             'train_dataloader.persistent_workers': True},
    'chunks': {'model.chunk_size': 4},
    'mixed precision': {'optim_wrapper.type': 'mmtbps.MixedPrecisionOptimWrapper',
                        'optim_wrapper.dtype': 'bfloat16'},
    'accumulation, averaged weights': {'optim_wrapper.accumulative_counts': 3},
    'no seed given': {'randomness.seed': None},
}
#: A checkpoint within an epoch is written after steps 3 and 6 of epochs of 4.
WITHIN = {'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 3}


def run(rank, folder, name, stop=None, resume=False):
    """Train as one of a group; end before step ``stop`` as if killed. Returns the checkpoint."""
    os.environ['LOCAL_RANK'] = str(rank)
    cfg = Config.fromfile(Path(folder) / 'settings.py')
    cfg.launcher, cfg.work_dir, cfg.experiment_name = 'pytorch', folder, f'{folder}_{name}'
    runner = build_runner(cfg, choose_start(cfg, 'auto') if resume else None)
    if stop is None:
        runner.train()
    else:
        train_until(runner, stop, 'run_iter')
    return runner.message_hub.get_info('last_ckpt')


def refusal(rank, folder, other_seed):
    """Message with which a process refuses to go on with another seed."""
    os.environ['LOCAL_RANK'] = str(rank)
    cfg = Config.fromfile(Path(folder) / 'settings.py')
    cfg.launcher, cfg.work_dir, cfg.randomness.seed = 'pytorch', folder, other_seed
    with pytest.raises(ChangedSettings) as refused:
        build_runner(cfg, choose_start(cfg, 'auto')).train()
    return str(refused.value)


@pytest.fixture
def settled(short_config, tmp_path):
    """A function: writes the settings of a run into a folder of its own and returns it."""
    def settle(name, **changes):
        folder = tmp_path / name
        folder.mkdir()
        cfg = short_config()
        cfg.model.text_backbone.config.update(hidden_dropout_prob=0.1)
        cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=100)
        cfg.train_dataloader.batch_size = 12
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.update(save_best=None)
        if changes.pop('averaged', False):
            cfg.custom_hooks = [dict(type='mmengine.EMAHook'), *cfg.custom_hooks]
        cfg.merge_from_dict(changes)
        cfg.dump(folder / 'settings.py')
        return folder
    return settle


def group(function, folder, *args):
    """Run in two processes; the first one's answer, which both give."""
    meeting = Path(folder) / f'meeting{len(list(Path(folder).glob("meeting*")))}'
    meeting.mkdir()
    one, other = run_in_group(function, 2, meeting, str(folder), *args)
    assert one == other
    return one


def assert_equal(one, other):
    """To the last bit: weights (averaged ones, too), moments, places."""
    one, other = load_checkpoint_file(one), load_checkpoint_file(other)
    assert one['meta']['iter'] == other['meta']['iter']
    for key in ('state_dict', 'ema_state_dict'):
        assert (key in one) == (key in other)
        for name, value in one.get(key, {}).items():
            assert torch.equal(value, other[key][name]), name
    for index, state in one['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(torch.as_tensor(value),
                               torch.as_tensor(other['optimizer']['state'][index][name])), name


@pytest.mark.parametrize('words', SETTINGS)
@pytest.mark.parametrize('stop, within', [(4, False), (7, True)], ids=['epoch', 'within an epoch'])
def test_two_processes_go_on_as_if_never_stopped(settled, words, stop, within):
    changes = dict(SETTINGS[words], averaged='averaged' in words, **(WITHIN if within else {}))
    stopped = settled('stopped', **changes)
    group(run, stopped, 'stopped', stop)
    end = group(run, stopped, 'resumed', None, True)
    if words == 'no seed given':  # the whole run is of the seed that the stopped one drew
        changes['randomness.seed'] = load_checkpoint_file(end)['meta']['seed']
    assert_equal(end, group(run, settled('whole', **changes), 'whole'))


def test_every_process_refuses_another_run(settled):
    folder = settled('stopped')
    group(run, folder, 'stopped', 4)
    assert 'seed: 0, now 7' in group(refusal, folder, 7)
