"""A run that goes on: equal to the uninterrupted one, with its settings looked at."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from stopped_runs import Stop, train_until

from mmtbps.datasets import DrawnPEDES
from mmtbps.engine.run_folder import FolderTaken, NotResumable
from mmtbps.engine.run_settings import ChangedSettings
from mmtbps.fileio import load_checkpoint_file

EPOCHS, STOP = 3, 1
CONSTANT = {'param_scheduler': None}


def train(cfg, name, stop=None, method=None, **changes):
    """Train; end before epoch or step ``stop`` as if killed. Returns the runner."""
    cfg = cfg.copy()
    cfg.experiment_name = f'{Path(cfg.work_dir).name}_{name}'
    cfg.merge_from_dict(changes)
    runner = Runner.from_cfg(cfg)
    if stop is not None:
        train_until(runner, stop, method or (
            'run_epoch' if hasattr(runner.train_loop, 'run_epoch') else 'run_iter'))
    else:
        runner.train()
    if (workers := runner.train_dataloader._iterator) is not None:
        workers._shutdown_workers()  # left to the garbage collection, each is waited for
    return runner


def end(runner):
    """Last checkpoint of a run."""
    path = Path(runner.message_hub.get_info('last_ckpt'))
    return load_checkpoint_file(path)


def assert_equal_ends(one, other):
    """To the last bit: weights, moments, steps, learning rates."""
    one, other = end(one), end(other)
    assert one['meta']['iter'] == other['meta']['iter']
    assert one['state_dict'].keys() == other['state_dict'].keys()
    for key, value in one['state_dict'].items():
        assert torch.equal(value, other['state_dict'][key]), key
    assert one['optimizer']['state'].keys() == other['optimizer']['state'].keys()
    for index, state in one['optimizer']['state'].items():
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(value),
                               torch.as_tensor(other['optimizer']['state'][index][key])), key
    assert ([group['lr'] for group in one['optimizer']['param_groups']]
            == [group['lr'] for group in other['optimizer']['param_groups']])


def log_of(runner):
    return next(Path(runner.log_dir).glob('*.log')).read_text()


@pytest.fixture
def config(short_config):
    """A function: the config with everything random in it, for some epochs without validation."""
    def build(**changes):
        cfg = short_config()
        cfg.model.text_backbone.config.update(hidden_dropout_prob=0.1)
        cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=100)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.update(save_best=None)
        cfg.merge_from_dict(changes)
        return cfg
    return build


LOADERS = {
    'no workers': {},
    'one worker': {'train_dataloader.num_workers': 1},
    'two that persist': {'train_dataloader.num_workers': 2,
                         'train_dataloader.persistent_workers': True},
}
FURTHER = {
    'no seed given': {'randomness.seed': None},
    'accumulation': {'optim_wrapper.accumulative_counts': 3},
    'chunks': {'model.chunk_size': 8},
    'averaged weights': {'custom_hooks[0]': dict(type='mmengine.EMAHook')},
    'mixed precision': {'optim_wrapper.type': 'mmtbps.MixedPrecisionOptimWrapper',
                        'optim_wrapper.dtype': 'bfloat16'},
    'Muon': {'optim_wrapper.constructor': 'mmtbps.MuonConstructor',
             'optim_wrapper.optimizer.type': 'mmtbps.MuonAdamW'},
}
BY_STEP = {'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=9,
                             val_interval=100),
           'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 3,
           'default_hooks.logger.interval': 1, 'log_processor.by_epoch': False,
           'param_scheduler': [dict(type='LinearLR', start_factor=0.1, begin=0, end=9,
                                    by_epoch=False)]}


@pytest.fixture(scope='module')
def uninterrupted(short_config):
    """Ends of uninterrupted runs, by the words of their settings."""
    return {}


def settle(cfg, settings):
    """Merge settings, of which ``EMAHook`` is one more hook."""
    settings = dict(settings)
    if hook := settings.pop('custom_hooks[0]', None):
        cfg.custom_hooks = [hook, *cfg.custom_hooks]
    if loop := settings.pop('train_cfg', None):
        cfg.train_cfg = {key: value for key, value in loop.items() if key != '_delete_'}
    cfg.merge_from_dict(settings)
    return cfg


TOGETHER = {'persistent workers, accumulation': {**LOADERS['two that persist'],
                                                 **FURTHER['accumulation']}}


@pytest.mark.parametrize('words', [*TOGETHER, *(
    pytest.param(words, marks=pytest.mark.slow) for words in (*LOADERS, *FURTHER))])
def test_a_run_that_was_stopped_ends_as_the_uninterrupted_one(config, words):
    settings = {**TOGETHER, **LOADERS, **FURTHER}[words]
    whole = train(settle(config(), settings), 'whole')
    cfg = settle(config(), settings)
    train(cfg, 'stopped', STOP)
    if words == 'no seed given':  # the whole run is of the seed that the stopped one drew
        drawn = load_checkpoint_file(Path(cfg.work_dir) / 'epoch_1.pth')['meta']['seed']
        whole = train(config(**{'randomness.seed': drawn}), 'again')
    assert_equal_ends(train(cfg, 'resumed', resume=True), whole)


@pytest.mark.slow
def test_gradients_of_another_accumulation_are_left_out(config):
    """Their scale is another: the run is one that loses the steps since its last update."""
    cfg = config(**{'optim_wrapper.accumulative_counts': 3})
    train(cfg, 'stopped', STOP)
    checkpoint = Path(cfg.work_dir) / 'epoch_1.pth'
    assert load_checkpoint_file(checkpoint)['pending_gradients']['counts'] == [3]
    resumed = train(cfg, 'resumed', resume=True, **{'optim_wrapper.accumulative_counts': 2})
    assert 'are left out: accumulative_counts has changed' in log_of(resumed)


@pytest.mark.slow
def test_the_number_of_workers_does_not_change_a_run(config):
    ends = [train(settle(config(), settings), words) for words, settings in LOADERS.items()]
    for other in ends[1:]:
        assert_equal_ends(ends[0], other)


@pytest.mark.parametrize('words', ['no workers', *(
    pytest.param(words, marks=pytest.mark.slow) for words in (
        'two that persist', 'no seed given', 'accumulation'))])
def test_a_loop_of_steps_is_resumed_in_the_midst_of_an_epoch(config, words):
    settings = {**BY_STEP, **{**LOADERS, **FURTHER}[words]}
    whole = train(settle(config(), settings), 'whole')
    cfg = settle(config(), settings)
    train(cfg, 'stopped', 7)
    if words == 'no seed given':
        drawn = load_checkpoint_file(Path(cfg.work_dir) / 'iter_6.pth')['meta']['seed']
        whole = train(settle(config(), {**settings, 'randomness.seed': drawn}), 'again')
    assert_equal_ends(train(cfg, 'resumed', resume=True), whole)


def test_a_resumed_loop_of_steps_loads_no_batch_that_it_has_seen(config, monkeypatch):
    cfg = settle(config(), BY_STEP)
    train(cfg, 'stopped', 7)
    loaded, serve = [], DrawnPEDES.__getitem__
    monkeypatch.setattr(DrawnPEDES, '__getitem__', lambda self, index: loaded.append(
        index) or serve(self, index))
    resumed = train(cfg, 'resumed', resume=True)
    assert len(loaded) == (9 - 6) * resumed.train_dataloader.batch_sampler.batch_size


def test_an_epoch_that_was_begun_goes_on_at_its_next_batch(config):
    """Checkpoints after 3, 6 and 9 steps, epochs of 4: killed in step 8, the third of epoch 2."""
    settings = {'default_hooks.checkpoint.by_epoch': False,
                'default_hooks.checkpoint.interval': 3, 'train_dataloader.num_workers': 1,
                'train_dataloader.persistent_workers': True}
    whole = train(config(**settings), 'whole')
    cfg = config(**settings)
    runner = train(cfg, 'stopped', 7, method='run_iter')
    assert Path(runner.message_hub.get_info('last_ckpt')).name == 'iter_6.pth'
    resumed = train(cfg, 'resumed', resume=True)
    assert '2 steps of epoch 2 are done already' in log_of(resumed)
    assert_equal_ends(resumed, whole)


@pytest.mark.slow
def test_a_step_that_ends_an_epoch_is_not_its_beginning(config):
    """Checkpoints after every second step, epochs of 4: killed in step 5, the first of epoch 2."""
    settings = {'default_hooks.checkpoint.by_epoch': False,
                'default_hooks.checkpoint.interval': 2, 'train_cfg.max_epochs': 2}
    whole = train(config(**settings), 'whole')
    cfg = config(**settings)
    runner = train(cfg, 'stopped', 4, method='run_iter')
    assert Path(runner.message_hub.get_info('last_ckpt')).name == 'iter_4.pth'
    resumed = train(cfg, 'resumed', resume=True)
    assert resumed.iter == 8
    assert_equal_ends(resumed, whole)


def test_settings_of_the_optimizer_and_schedule_are_those_of_the_config(config):
    """As if they had been so from the first step on; one line in the log each."""
    cosine = [dict(type='CosineAnnealingLR', convert_to_iter_based=True)]
    cfg = config(**{'param_scheduler': cosine})
    train(cfg, 'stopped', STOP)
    new = {'optim_wrapper.optimizer.lr': 3e-4, 'optim_wrapper.optimizer.betas': (0.8, 0.9),
           'train_cfg.max_epochs': 5, 'model.text_backbone.config.hidden_dropout_prob': 0.2}
    resumed = train(cfg, 'resumed', 3, resume=True, **new)
    whole = train(config(**{'param_scheduler': cosine, **new}), 'whole', 3)
    rates, expected = ([group['lr'] for group in end(run)['optimizer']['param_groups']]
                       for run in (resumed, whole))
    assert rates == pytest.approx(expected, rel=1e-12) and rates[0] < 3e-4
    groups = end(resumed)['optimizer']['param_groups']
    assert all(tuple(group['betas']) == (0.8, 0.9) for group in groups)
    log = log_of(resumed)
    for line in ('optimizer.optimizer.lr: 0.001, now 0.0003', 'length.max_epochs: 3, now 5',
                 'model.text_backbone.config.hidden_dropout_prob: 0.1, now 0.2'):
        assert f'changed: {line}' in log
    assert re.search(r'the learning rate here is 0\.000\d+', log)


def test_an_optimizer_that_cannot_go_on_with_the_state_is_named(config):
    cfg = config(**FURTHER['Muon'], **CONSTANT)
    train(cfg, 'stopped', STOP)
    with pytest.raises(NotResumable, match='begun with MuonAdamW, and the config has AdamW'):
        train(cfg, 'another', resume=True, **{'optim_wrapper.optimizer.type': 'AdamW'})
    with pytest.raises(NotResumable, match='other groups of weights'):
        train(cfg, 'fewer', resume=True, **{
            'optim_wrapper.paramwise_cfg.adamw_keys': ['.heads.', 'text_backbone']})
    resumed = train(cfg, 'slower', 2, resume=True, **{'optim_wrapper.optimizer.lr': 1e-4})
    assert {group['lr'] for group in end(resumed)['optimizer']['param_groups']} == {1e-4}
    assert 'base_lr: 1.0000e-04' in log_of(resumed)


@pytest.mark.parametrize('changes, line', [
    ({'randomness.seed': 7}, 'seed: 0, now 7'),
    pytest.param({'train_dataloader.batch_size': 8}, 'batch size: 24, now 8',
                 marks=pytest.mark.slow),
    ({'model.heads.contrastive.temperature': 0.3}, 'loss.contrastive.temperature: .*, now 0.3'),
    pytest.param({'model.mixup.prob': 0.1}, 'mixup.prob: 1.0, now 0.1', marks=pytest.mark.slow)])
def test_what_would_be_another_run_is_refused_unless_meant(config, changes, line):
    cfg = config()
    train(cfg, 'stopped', STOP)
    with pytest.raises(ChangedSettings, match=line):
        train(cfg, 'resumed', resume=True, **changes)
    resumed = train(cfg, 'meant', 2, resume=True, resume_anyway=True, **changes)
    noted = end(resumed)['meta']['run']['changed']
    assert len(noted) == 1 and re.fullmatch(line, noted[0])


def test_a_new_run_does_not_begin_where_another_keeps_its_checkpoints(config):
    cfg = config()
    train(cfg, 'stopped', STOP)
    with pytest.raises(FolderTaken, match='holds 1 checkpoint of a run'):
        train(cfg, 'again')
    tested = cfg.copy()
    tested.experiment_name, tested.load_from = f'{cfg.work_dir}_tested', str(
        Path(cfg.work_dir) / 'epoch_1.pth')
    assert 't2i/R1' in Runner.from_cfg(tested).test()


def test_a_stock_runner_passes_over_a_broken_checkpoint(config):
    cfg = config()
    train(cfg, 'stopped', 2)
    folder = Path(cfg.work_dir)
    (folder / 'epoch_2.pth').write_bytes((folder / 'epoch_2.pth').read_bytes()[:-100])
    (folder / 'last_checkpoint').write_text('')
    resumed = train(cfg, 'resumed', resume=True)
    log = log_of(resumed)
    assert 'left out: epoch_2.pth' in log and 'resumed epoch: 1' in log
    assert_equal_ends(resumed, train(config(), 'whole'))
    with pytest.raises(NotResumable):
        (folder / 'weights.pth').write_bytes(b'')
        train(cfg, 'named', resume=True, load_from=str(folder / 'weights.pth'))



VALIDATED = {'train_cfg.val_interval': 1, 'default_hooks.checkpoint.max_keep_ckpts': -1}
VALIDATED_BY_STEP = {
    **BY_STEP, 'default_hooks.checkpoint.max_keep_ckpts': -1,
    'train_cfg': dict(type='IterBasedTrainLoop', max_iters=9, val_interval=3)}


def killed_as_it_validates(cfg, place):
    """End a run as if killed when its validation after epoch or step ``place`` begins."""
    runner = Runner.from_cfg(cfg)
    ran = runner.val_loop.run

    def run():
        if place in (runner.epoch, runner.iter):
            raise Stop
        return ran()

    runner.val_loop.run = run
    with pytest.raises(Stop):
        runner.train()
    return runner


def results(runner):
    """Scores of all validations, the best of them, and the names of all checkpoints."""
    hub = end(runner)['message_hub']
    best = hub['runtime_info']
    return (hub['log_scalars']['val/t2i/R1'].data[0].tolist(), best['best_score'],
            Path(best['best_ckpt']).name,
            sorted(path.name for path in Path(runner.work_dir).glob('*.pth')))


@pytest.mark.parametrize('settings, places', [
    (VALIDATED, (2, EPOCHS)),
    pytest.param(VALIDATED_BY_STEP, (3, 9), marks=pytest.mark.slow)], ids=['epochs', 'steps'])
def test_a_validation_that_a_kill_prevented_is_made_up_for(short_config, settings, places):
    """Within the run and at its end, after which nothing is left to train."""
    def config():
        return settle(short_config(**{'train_cfg.max_epochs': EPOCHS}), settings)

    whole, cfg = train(config(), 'whole'), config()
    for place in places:
        killed_as_it_validates(cfg, place)
        cfg.resume = True
        cfg.experiment_name += '_again'
    resumed = train(cfg, 'resumed')
    assert 'which is made up for' in log_of(resumed)
    assert_equal_ends(resumed, whole)
    assert results(resumed) == results(whole)
