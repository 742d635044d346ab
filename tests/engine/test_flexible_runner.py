"""MMEngine's FlexibleRunner on a config of ours: the same run, where a CPU can show it."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import FlexibleRunner, Runner
from stopped_runs import train_until

from mmtbps.engine.launch import build_runner, prepare_test
from mmtbps.fileio import load_checkpoint_file


def settings(short_config, **changes):
    cfg = short_config(**changes)
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.default_hooks.checkpoint.update(save_best=None, rule=None)
    return cfg


def last_weights(cfg):
    last = Path((Path(cfg.work_dir) / 'last_checkpoint').read_text()).name
    assert last in ('epoch_2.pth', 'iter_8.pth')
    return load_checkpoint_file(Path(cfg.work_dir) / last)['state_dict']


def assert_equal_weights(one, other):
    for key, value in last_weights(one).items():
        assert torch.equal(value, last_weights(other)[key]), key


def test_a_validation_needs_no_choice_of_the_best(short_config):
    cfg = settings(short_config)
    Runner.from_cfg(cfg).train()
    assert not list(Path(cfg.work_dir).glob('best_*')) and last_weights(cfg)


@pytest.mark.slow
def test_it_is_the_run_of_a_runner_and_resumes_as_one(short_config):
    one_device = dict(type='SingleDeviceStrategy')
    plain, flexible, stopped = (settings(short_config) for _ in range(3))
    Runner.from_cfg(plain).train()
    flexible.strategy = stopped.strategy = one_device
    FlexibleRunner.from_cfg(flexible).train()
    assert_equal_weights(plain, flexible)

    runner = FlexibleRunner.from_cfg(stopped)
    train_until(runner, 1)
    stopped.update(resume=True, load_from=None)
    stopped.experiment_name += '_resumed'
    FlexibleRunner.from_cfg(stopped).train()
    assert_equal_weights(plain, stopped)


@pytest.mark.slow
def test_the_best_checkpoint_notes_its_own_place_and_a_run_resumes_there(short_config):
    """MMEngine's FlexibleRunner counts one more wherever a checkpoint is written."""
    def best(**changes):
        cfg = settings(short_config, strategy=dict(type='SingleDeviceStrategy'), **changes)
        cfg.default_hooks.checkpoint.update(save_best='t2i/R1', rule='greater')
        return cfg

    def place(cfg, name):
        path, = Path(cfg.work_dir).glob(name)
        return {key: load_checkpoint_file(path)['meta'][key] for key in ('epoch', 'iter')}

    plain, whole, stopped = best(), best(), best()
    Runner.from_cfg(plain).train()
    FlexibleRunner.from_cfg(whole).train()
    for name in ('best_*', 'epoch_1.pth', 'epoch_2.pth'):
        assert place(whole, name) == place(plain, name), name
    assert place(whole, 'epoch_1.pth') == dict(epoch=1, iter=4)
    assert_equal_weights(plain, whole)

    train_until(FlexibleRunner.from_cfg(stopped), 1)
    stopped.update(resume=True, load_from=None)
    stopped.experiment_name += '_resumed'
    FlexibleRunner.from_cfg(stopped).train()
    assert_equal_weights(plain, stopped)


@pytest.mark.slow
def test_a_loop_of_steps_is_the_run_of_a_runner_and_resumes_as_one(short_config, tmp_path):
    """Begin with the same weights: such a loop draws random numbers before models are made."""
    start = tmp_path / 'start.pth'
    torch.save(dict(state_dict=Runner.from_cfg(settings(short_config)).model.state_dict()), start)

    def by_steps(**changes):
        cfg = settings(short_config, load_from=str(start), **changes)
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=8, val_interval=4)
        return cfg

    one_device = dict(type='SingleDeviceStrategy')
    plain, flexible = by_steps(), by_steps(strategy=one_device)
    stopped = by_steps(strategy=one_device, **{'default_hooks.checkpoint.interval': 3,
                                               'default_hooks.checkpoint.by_epoch': False})
    Runner.from_cfg(plain).train()
    FlexibleRunner.from_cfg(flexible).train()
    assert_equal_weights(plain, flexible)

    train_until(FlexibleRunner.from_cfg(stopped), 7, 'run_iter')  # goes on from step 6
    stopped.update(resume=True, load_from=None)
    stopped.experiment_name += '_resumed'
    FlexibleRunner.from_cfg(stopped).train()
    assert_equal_weights(plain, stopped)


def test_a_strategy_is_not_passed_over(short_config):
    """The commands build what the config asks for, and test a model whole."""
    cfg = settings(short_config, strategy=dict(type='SingleDeviceStrategy'), launcher='none')
    assert type(build_runner(cfg)) is FlexibleRunner
    cfg = settings(short_config, launcher='none')
    assert type(build_runner(cfg)) is Runner
    cfg = settings(short_config, runner_type='FlexibleRunner', launcher='none')
    assert type(build_runner(cfg)) is FlexibleRunner
    prepare_test(cfg, None)
    cfg.experiment_name += '_tested'
    assert type(build_runner(cfg)) is Runner
