"""Consensus division: the mixture, the votes, resumed runs, several processes."""

import itertools
import math
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import slow_losses as slow
import torch
from forked_processes import start_ranks
from mmengine.config import Config
from mmengine.model.wrappers import MMFullyShardedDataParallel
from stopped_runs import train_until
from tiny_models import shrink

from mmtbps.engine import ConsensusDivisionHook
from mmtbps.engine.launch import build_runner, leave_group
from mmtbps.fileio import load_checkpoint_file
from mmtbps.models.losses import clean_pairs, consensus_weights, mixture_posterior

CONFIG = Path(__file__).resolve().parents[2] / 'configs/tbps/vit_bert_base_drawn.py'
NUMBERS = itertools.count()
NECK = dict(type='TokenSelectionNeck', out_dims=8, selection_dims=6)
BATCH = 24


def halves(values):
    """Mark the values in the lower of the halves that k-means ends with."""
    low, high = min(values), max(values)
    for _ in range(100):
        near_low = [abs(v - low) <= abs(v - high) for v in values]
        low = np.mean([v for v, near in zip(values, near_low, strict=True) if near])
        high = np.mean([v for v, near in zip(values, near_low, strict=True) if not near])
    return near_low


def slow_posterior(values, iterations=10, floor=5e-4):
    """Expectation maximisation, value by value, from the halves that k-means ends with."""
    shares = [[float(near), float(not near)] for near in halves(values)]
    for _ in range(iterations + 1):  # the first step fits the halves
        components = []
        for k in (0, 1):
            count = sum(share[k] for share in shares)
            mean = sum(s[k] * v for s, v in zip(shares, values, strict=True)) / count
            variance = sum(s[k] * (v - mean)**2 for s, v in zip(shares, values, strict=True))
            components.append((count / len(values), mean, variance / count + floor))
        shares = []
        for value in values:
            joint = [weight * math.exp(-(value - mean)**2 / 2 / variance)
                     / math.sqrt(2 * math.pi * variance) for weight, mean, variance in components]
            shares.append([part / sum(joint) for part in joint])
    return [share[0] for share in shares]


def mixed_losses(seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0.2, 0.06, 70), rng.normal(0.6, 0.15, 30)]).clip(0, 1)


@pytest.mark.parametrize('seed', [0, 1])
def test_the_mixture_equals_the_loops(seed):
    values = mixed_losses(seed)
    ours = mixture_posterior(torch.from_numpy(values), tolerance=0)
    torch.testing.assert_close(ours, torch.tensor(slow_posterior(values.tolist())).double(),
                               rtol=1e-5, atol=1e-6)
    stopped = mixture_posterior(torch.from_numpy(values), tolerance=10.0)
    assert not torch.equal(stopped, ours)


@pytest.mark.parametrize('options', [(10, 1e-2, 5e-4), (100, 1e-4, 1e-6), (2, 0, 5e-4)])
def test_the_mixture_stops_where_scikit_learn_does(options):
    mixture = pytest.importorskip('sklearn.mixture')
    values, (steps, tolerance, floor) = mixed_losses(3), options
    near = np.array(halves(values.tolist()))
    parts = [values[near], values[~near]]
    model = mixture.GaussianMixture(
        2, max_iter=steps, tol=tolerance, reg_covar=floor,
        weights_init=[near.mean(), 1 - near.mean()], means_init=[[part.mean()] for part in parts],
        precisions_init=[[[1 / (part.var() + floor)]] for part in parts])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # two steps are too few, as they are meant to be
        theirs = model.fit(values[:, None]).predict_proba(values[:, None])[:, 0]
    ours = mixture_posterior(torch.from_numpy(values), *options)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-9)


def test_the_mixture_agrees_with_scikit_learn():
    mixture = pytest.importorskip('sklearn.mixture')
    values = mixed_losses(3)[:, None]
    model = mixture.GaussianMixture(2, max_iter=200, tol=1e-6, reg_covar=5e-4, random_state=0)
    theirs = model.fit(values).predict_proba(values)[:, model.means_.argmin()]
    ours = mixture_posterior(torch.from_numpy(values[:, 0]), 200, 1e-6)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-3)


def test_pairs_of_high_loss_are_noisy_whatever_the_scale():
    values = torch.from_numpy(mixed_losses())
    clean = clean_pairs(values * 7 + 3)
    assert torch.equal(clean, clean_pairs(values)) and clean[:70].float().mean() > 0.95
    assert clean[70:].float().mean() < 0.2
    same = torch.full((200,), 0.5)
    assert clean_pairs(same).all()  # nothing to divide, and something to train on


def test_votes_become_weights():
    votes = torch.tensor([[True] * 400, [True] * 100 + [False] * 300])
    votes[0, 300:] = False
    weights = consensus_weights(votes, torch.Generator().manual_seed(0))
    assert (weights[:100] == 1).all() and (weights[300:] == 0).all()
    assert weights[100:300].mean().item() == pytest.approx(0.5, abs=0.1)
    again = consensus_weights(votes, torch.Generator().manual_seed(0))
    assert torch.equal(again, weights)


def config_of(data_root, folder, **changes):
    cfg = shrink(Config.fromfile(CONFIG), data_root, folder)
    # MMEngine adds the second; two runs of one second are told apart by number.
    cfg.experiment_name += f'_{next(NUMBERS)}'
    cfg.model.update(
        image_neck=dict(NECK, side='image'), text_neck=dict(NECK, side='text'),
        heads=dict(bge=dict(type='TALHead'), tse=dict(type='TALHead', part='tse')))
    cfg.custom_hooks.append(dict(type='ConsensusDivisionHook', interval=2))
    cfg.train_dataloader.batch_size = BATCH
    cfg.train_dataloader.dataset.noise_rate = 0.3
    cfg.train_cfg.max_epochs = 4
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    cfg.launcher = 'none'
    cfg.merge_from_dict(changes)
    return cfg


def built(data_root, folder, **changes):
    runner = build_runner(config_of(data_root, folder, **changes))
    assert runner.train_loop.max_epochs == 4  # built by being asked
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    return runner, next(h for h in runner.hooks if isinstance(h, ConsensusDivisionHook))


def test_losses_of_pairs_are_those_of_their_batches(micro_set, tmp_path):
    """By hand: the same batches, encoded in evaluation mode."""
    runner, hook = built(micro_set, tmp_path)
    runner.model.train()
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    losses = hook.pair_losses(runner)
    assert runner.model.training and not losses.isnan().any()
    assert all(torch.equal(value, before[name])
               for name, value in runner.model.state_dict().items())
    model, rows = runner.model.eval(), []
    for batch in hook._batches(runner):
        batch = model.data_preprocessor(batch)
        people = [sample.person_id for sample in batch['data_samples']]
        own = [sample.sample_idx for sample in batch['data_samples']]
        with torch.no_grad():
            image, text = model.encode_pairs(batch['images'], batch['input_ids'],
                                             batch['attention_mask'])
        assert BATCH <= len(own) < 2 * BATCH
        if not rows:
            for row, part in enumerate(('global', 'tse')):
                expected = slow.tal(image.parts[part].double(), text.parts[part].double(), people)
                torch.testing.assert_close(losses[row, own].double(), expected, rtol=1e-3,
                                           atol=1e-5)
        rows += own
    assert sorted(rows) == list(range(len(runner.train_dataloader.dataset)))


def share_of(rank, world, data_root, folder, sharded=False):
    """The losses of all pairs, as one of ``world`` processes computes them."""
    os.environ['LOCAL_RANK'] = str(rank)
    if world > 1:
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=world)
    changes = {'train_dataloader.batch_size': BATCH // world,
               'launcher': 'pytorch' if world > 1 else 'none'}
    runner, hook = built(data_root, folder, **changes)
    if sharded:
        count = sum(weight.numel() for weight in runner.model.parameters())
        runner.model = MMFullyShardedDataParallel(
            getattr(runner.model, 'module', runner.model), device_id=torch.device('cpu'),
            use_orig_params=True)
        assert sum(weight.numel() for weight in runner.model.parameters()) < .6 * count
    hook.before_train_epoch(runner)
    torch.save((hook.pair_losses(runner), hook.weights), f'{folder}/{world}_{rank}.pt')
    leave_group()


@pytest.mark.parametrize('sharded', [pytest.param(False, marks=pytest.mark.slow), True])
def test_two_processes_divide_as_one(micro_set, tmp_path, sharded):
    """Each with all the weights, or with its share of them."""
    for world in (1, 2):
        start_ranks(share_of, (world, micro_set, tmp_path, sharded and world > 1), world)
    losses, weights = torch.load(tmp_path / '1_0.pt')
    for rank in range(2):
        other_losses, other_weights = torch.load(tmp_path / f'2_{rank}.pt')
        torch.testing.assert_close(other_losses, losses, rtol=1e-4, atol=1e-5)
        assert torch.equal(other_weights, weights)


@pytest.mark.parametrize('stop', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_run_equals_the_uninterrupted_one(stop, micro_set, tmp_path):
    """Stopped in the middle between two divisions, or right before one."""
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    whole.mkdir(), parts.mkdir()
    build_runner(config_of(micro_set, whole, **{'train_cfg.max_epochs': 3})).train()
    train_until(build_runner(config_of(micro_set, parts, **{'train_cfg.max_epochs': 3})), stop)
    stored = load_checkpoint_file(parts / f'epoch_{stop}.pth')['consensus_division']
    assert 0 < stored.mean() < 1 and set(stored.tolist()) == {0.0, 1.0}
    cfg = config_of(micro_set, parts, resume=True, **{'train_cfg.max_epochs': 3})
    cfg.experiment_name += '_resumed'
    build_runner(cfg).train()
    one, other = (load_checkpoint_file(folder / 'epoch_3.pth') for folder in (whole, parts))
    assert torch.equal(one['consensus_division'], other['consensus_division'])
    assert not torch.equal(stored, one['consensus_division'])  # divided anew before epoch 3
    for name, value in one['state_dict'].items():
        torch.testing.assert_close(other['state_dict'][name], value, atol=1e-6, rtol=0, msg=name)


def in_steps(data_root, folder, steps, **changes):
    cfg = config_of(data_root, folder, **changes)
    length = len(built(data_root, folder)[0].train_dataloader)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=length * 3, val_interval=10**6)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=steps, max_keep_ckpts=-1)
    cfg.experiment_name += f'_{steps}_{folder.name}_{bool(changes)}'
    return build_runner(cfg), length


def test_a_loop_of_steps_divides_before_each_pass(micro_set, tmp_path):
    """As often, and with the same order of pairs, as a loop of epochs; resumed within a pass."""
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    whole.mkdir(), parts.mkdir()
    runner, length = in_steps(micro_set, whole, 1)
    assert length > 2
    runner.train()
    said = next(Path(runner.log_dir).glob('*.log')).read_text()
    assert [f'division before epoch {n}:' in said for n in (1, 2, 3, 4)] == [1, 0, 1, 0]
    kept = [load_checkpoint_file(whole / f'iter_{step}.pth')['consensus_division'] for step in
            (1, length * 2, length * 2 + 1, length * 3)]
    assert torch.equal(kept[0], kept[1]) and torch.equal(kept[2], kept[3])
    assert not torch.equal(kept[1], kept[2])

    train_until(in_steps(micro_set, parts, length * 2 + 1)[0], length * 2 + 2, 'run_iter')
    in_steps(micro_set, parts, length * 3, resume=True)[0].train()
    one, other = (load_checkpoint_file(folder / f'iter_{length * 3}.pth')
                  for folder in (whole, parts))
    assert torch.equal(one['consensus_division'], other['consensus_division'])
    for name, value in one['state_dict'].items():
        torch.testing.assert_close(other['state_dict'][name], value, atol=1e-6, rtol=0, msg=name)
def test_a_loop_of_steps_divides_before_passes_over_the_data(micro_set, tmp_path, monkeypatch):
    """One of 10 steps, 4 to a pass, that divides before the first and the third; then resumed."""
    divided, losses = [], ConsensusDivisionHook.pair_losses

    def watch(hook, runner):
        divided.append((runner.iter, hook._batches(runner).batch_sampler[0][:2]))
        return losses(hook, runner)

    monkeypatch.setattr(ConsensusDivisionHook, 'pair_losses', watch)

    def config(**options):
        loop = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=10)
        cfg = config_of(micro_set, tmp_path, train_cfg=loop, **options)
        cfg.default_hooks.checkpoint.update(interval=5, by_epoch=False)
        return cfg

    runner = build_runner(config())
    runner.train()
    assert len(runner.train_dataloader) == 4 and [step for step, _ in divided] == [0, 8]
    assert divided[0][1] != divided[1][1]  # another order, other augmentations
    cfg = config(resume=True, load_from=str(tmp_path / 'iter_5.pth'))
    cfg.experiment_name += '_resumed'
    divided.clear()
    build_runner(cfg).train()
    assert [step for step, _ in divided] == [8]


def test_what_it_cannot_work_with_is_refused(micro_set, tmp_path):
    with pytest.raises(ValueError, match='begin must not be negative'):
        ConsensusDivisionHook(begin=-1)
    runner, hook = built(micro_set, tmp_path, **{'model.heads': dict(
        _delete_=True, sdm=dict(type='SDMHead'))})
    with pytest.raises(ValueError, match='the model has none; add one for each part'):
        hook.before_train(runner)
