"""A loop of steps in place of a loop of epochs: the same run, its settings still in epochs."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.engine import StepLoopHook
from mmtbps.engine.setting_values import WrongValues, stop_if_wrong
from mmtbps.fileio import load_checkpoint_file
from mmtbps.models.heads import TrainingProgress

ROOT = Path(__file__).resolve().parents[2]
LENGTH, EPOCHS = 4, 6
STEPS = LENGTH * EPOCHS


class Rates(Hook):
    """Notes learning rate and progress of every step, and the items that it trained on."""

    priority = 'LOWEST'

    def __init__(self):
        self.rates, self.rows, self.progress = [], [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.progress.append(TrainingProgress.current())
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])
        self.rows.append([sample.sample_idx for sample in data_batch['data_samples']])


def run(cfg, by_steps, **changes):
    """Train without mixup and dropout, in either loop; returns the runner and its rates."""
    cfg.model.pop('mixup', None)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=STEPS, val_interval=8) if by_steps \
        else dict(type='EpochBasedTrainLoop', max_epochs=EPOCHS, val_interval=2)
    cfg.default_hooks.checkpoint.update(interval=2, max_keep_ckpts=-1)
    cfg.merge_from_dict(changes)
    runner, rates = Runner.from_cfg(cfg), Rates()
    runner.register_hook(rates)
    runner.train()
    return runner, rates


def test_it_is_the_same_run(short_config, tmp_path):
    """Begin both with the same weights: MMEngine's loops draw random numbers before weights are."""
    start = tmp_path / 'start.pth'
    model = Runner.from_cfg(short_config(**{'model.mixup': None})).model
    torch.save(dict(state_dict=model.state_dict(), meta={}), start)
    (epochs, old), (steps, new) = (run(short_config(), by_steps, load_from=str(start))
                                   for by_steps in (False, True))
    assert new.rates == old.rates and len(set(new.rates)) > STEPS / 2
    assert new.rows == old.rows and len(new.rows) == STEPS
    ends = [load_checkpoint_file(Path(runner.work_dir) / name)['state_dict'] for runner, name in
            ((epochs, f'epoch_{EPOCHS}.pth'), (steps, f'iter_{STEPS}.pth'))]
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key
    assert old.progress == [TrainingProgress(step // LENGTH, step, EPOCHS, STEPS, LENGTH)
                            for step in range(STEPS)]
    assert new.progress == [place._replace(max_epochs=None) for place in old.progress]
    scores = [runner.message_hub.get_scalar('val/t2i/R1').data[0].tolist()
              for runner in (epochs, steps)]
    assert scores[0] == scores[1] and len(scores[0]) == EPOCHS / 2

    names = {path.name for path in Path(steps.work_dir).glob('*.pth')}
    assert {'iter_8.pth', 'iter_16.pth', 'iter_24.pth'} <= names
    best, = names - {'iter_8.pth', 'iter_16.pth', 'iter_24.pth'}
    assert best in {f'best_t2i_R1_iter_{step}.pth' for step in (8, 16, 24)}
    log = next(Path(steps.log_dir).glob('*.log')).read_text()
    assert 'one pass over the data, 4 steps' in log and 'the schedule ends' not in log
    assert 'validated' not in log  # MMEngine logs what begins like val


def schedules(name):
    return Config.fromfile(ROOT / f'configs/_base_/schedules/{name}.py').param_scheduler


@pytest.mark.parametrize('name', ['in epochs', *(
    pytest.param(name, marks=pytest.mark.slow) for name in (
        'drawn', 'irra_60e', 'paper_70e', 'tbps_clip_5e'))])
def test_every_schedule_follows_the_steps(short_config, name):
    """Its own formula of the place in the run, at every step."""
    settings = [dict(type='WarmUpLR', length=2, start_factor=.5),
                dict(type='StepDecayLR', milestones=[3, 5])] if name == 'in epochs' else schedules(
                    name)
    cfg = short_config(val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.param_scheduler = settings
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.))
    cfg.default_hooks.checkpoint.save_best = None
    _, rates = run(cfg, True)
    expected = {
        'drawn': [warm(step, 1 / 12, .01) * cosine(step, 1 / 12) for step in range(STEPS)],
        'irra_60e': [warm(step, 1 / 10, .1) * cosine(step, 1 / 12) for step in range(STEPS)],
        'paper_70e': [warm(step, 1 / 7, .1) * .1 ** sum(step >= -(-place * STEPS // 7) for place in
                                                       (2, 4, 6)) for step in range(STEPS)],
        'tbps_clip_5e': [warm(step, 1 / 5, .01) * cosine(step, 1 / 5, 5e-6)
                         for step in range(STEPS)],
        'in epochs': [warm(step, 2 / EPOCHS, .5) * .1 ** ((step >= 12) + (step >= 20))
                      for step in range(STEPS)]}[name]
    assert rates.rates == pytest.approx(expected, rel=1e-9)


def warm(step, share, start):
    """Linear from ``start`` to 1; the last step of the warm-up has the whole rate."""
    last = round(share * STEPS) - 1
    return start + (1 - start) * min(step / last, 1)


def cosine(step, begin, least=0.):
    import math
    first = round(begin * STEPS)
    place = max(step - first, 0) / (STEPS - first)
    return least + (1 - least) * (1 + math.cos(math.pi * place)) / 2


@pytest.mark.slow
def test_settings_in_steps_stay(short_config):
    runner, rates = run(short_config(), True, **{
        'param_scheduler': [dict(type='LinearLR', start_factor=.5, begin=0, end=10,
                                 by_epoch=False)],
        'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 10})
    assert rates.rates[:11] == pytest.approx([1e-3 * (.5 + .5 * min(step / 9, 1))
                                              for step in range(11)])
    assert {'iter_10.pth', 'iter_20.pth'} <= {
        path.name for path in Path(runner.work_dir).glob('*.pth')}


def test_nothing_changes_in_a_loop_of_epochs(short_config):
    runner = Runner.from_cfg(short_config())
    before = dict(vars(runner.log_processor))
    StepLoopHook().before_run(runner)
    assert vars(runner.log_processor) == before


def test_two_lengths_are_one_too_many():
    with pytest.raises(WrongValues, match='max_epochs and max_iters'):
        stop_if_wrong(dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=9, max_epochs=2)))
