"""Hooks and the mixed-precision wrapper."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from mmtbps.engine import (
    EpochSeedHook,
    FeatureMixupHook,
    FiniteLossHook,
    MixedPrecisionOptimWrapper,
)


def runner(epoch=0, **fields):
    return SimpleNamespace(epoch=epoch, iter=0, seed=3,
                           message_hub=MessageHub.get_instance('hooks'), **fields)


EPOCHS = SimpleNamespace(run_epoch=None)  # a loop of epochs


def test_mixup_schedule_steps_and_slopes():
    step = FeatureMixupHook({2: 0.2, 6: 0.6})
    assert [step.prob_at(e) for e in (0, 2, 5, 6, 9)] == [0.2, 0.2, 0.2, 0.6, 0.6]
    slope = FeatureMixupHook({2: 0.2, 6: 0.6}, interpolate='linear')
    assert [slope.prob_at(e) for e in (0, 2, 3, 4, 6, 9)] == pytest.approx(
        [0.2, 0.2, 0.3, 0.4, 0.6, 0.6])


def test_mixup_hook_sets_the_models_probability():
    model = torch.nn.Module()
    model.mixup = SimpleNamespace(prob=0.9)
    FeatureMixupHook({0: 0.0, 3: 0.5}).before_train_epoch(runner(4, model=model))
    assert model.mixup.prob == 0.5
    model.mixup = None
    with pytest.raises(AttributeError, match='no mixup'):
        FeatureMixupHook({0: 0.0}).before_train_epoch(runner(model=model))
    with pytest.raises(ValueError):
        FeatureMixupHook({0: 1.5})
    with pytest.raises(ValueError, match='milestones must map'):
        FeatureMixupHook([0.5, 0.0])


@pytest.mark.parametrize('options, expected', [
    (dict(milestones={0: 0.5, 2 / 3: 0.0}), [0.5] * 6 + [0.0] * 3),
    (dict(milestones={0: 0.5, 2: 0.1, 7: 0.0}, by_epoch=False), [0.5] * 2 + [0.1] * 5 + [0.0] * 2),
    (dict(milestones={0: 0.0, 4: 0.8}, by_epoch=False, interpolate='linear'),
     [0.0, 0.2, 0.4, 0.6] + [0.8] * 5)])
@pytest.mark.parametrize('loop', [SimpleNamespace(run_epoch=None), SimpleNamespace()])
def test_mixup_is_scheduled_by_step_and_by_share(options, expected, loop):
    """In a run of 9 steps, whether it counts epochs or not; a resumed one begins at any of them."""
    model = torch.nn.Module()
    model.mixup = SimpleNamespace(prob=0.9)
    for steps in (range(9), range(5, 9)):
        hook, at = FeatureMixupHook(**options), runner(model=model, train_loop=loop, max_iters=9)
        hook.before_train(at)
        hook.before_train_epoch(at)
        for step in steps:
            at.iter = step
            hook.before_train_iter(at, batch_idx=step)
            assert model.mixup.prob == pytest.approx(expected[step])


def test_a_mixup_schedule_that_could_not_act_is_refused():
    at = runner(train_loop=SimpleNamespace())
    with pytest.raises(ValueError, match='counts steps and not epochs.*by_epoch=False'):
        FeatureMixupHook({0: 0.5, 3: 0.0}).before_train(at)
    for milestones in ({0: 0.5, 0.5: 0.1, 3: 0.0}, {-1: 0.5}, {0: 0.5, float('nan'): 0.}):
        with pytest.raises(ValueError, match='all of one kind'):
            FeatureMixupHook(milestones)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_places_in_a_run_have_their_own_repeatable_seed(by_epoch):
    """Whatever was drawn before; within an epoch the numbers go on."""
    loop = SimpleNamespace(run_epoch=None) if by_epoch else SimpleNamespace()
    draws, hook = [], EpochSeedHook()
    for place in (0, 1, 0):
        torch.rand(place + 1)
        at = runner(place if by_epoch else 0, train_loop=loop, train_dataloader=range(4))
        at.iter = 4 * place if by_epoch else place
        hook.before_train_iter(at, batch_idx=0)
        draws.append(torch.rand(3))
    assert torch.equal(draws[0], draws[2]) and not torch.equal(draws[0], draws[1])
    state = torch.get_rng_state()
    at.iter += 1
    hook.before_train_iter(at, batch_idx=1)
    assert torch.equal(torch.get_rng_state(), state) == by_epoch
    # A run may go on where a checkpoint was written.
    at.message_hub.update_info('last_ckpt', 'iter_1.pth')
    torch.rand(5)
    hook.before_train_iter(at, batch_idx=1)
    first = torch.rand(3)
    EpochSeedHook().before_train_iter(at, batch_idx=0)
    assert torch.equal(torch.rand(3), first)
    at.message_hub.pop_info('last_ckpt')


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_a_loss_that_is_no_number_stops_the_run(value):
    hook, at = FiniteLossHook(), runner(model=torch.nn.Linear(2, 1), train_loop=EPOCHS)
    at.message_hub.update_scalar('train/loss', 1.0)
    hook.after_train_iter(at)
    hook.before_save_checkpoint(at, {})
    at.message_hub.update_scalar('train/loss', value)
    for check in (hook.after_train_iter, lambda at: hook.before_save_checkpoint(at, {})):
        with pytest.raises(FloatingPointError, match='epoch 1, at or before iteration 1'):
            check(at)
    at.train_loop, at.iter = SimpleNamespace(), 70  # counts steps alone
    for check in (hook.after_train_iter, lambda at: hook.before_save_checkpoint(at, {})):
        with pytest.raises(FloatingPointError, match=' at or before iteration 71') as caught:
            check(at)
        assert 'epoch' not in str(caught.value)


def test_ruined_weights_are_not_written_though_the_loss_is_a_number(tmp_path):
    at = runner(model=torch.nn.Linear(2, 1), train_loop=SimpleNamespace())
    at.message_hub.update_scalar('train/loss', 1.0)
    with torch.no_grad():
        at.model.bias.fill_(float('inf'))
    with pytest.raises(FloatingPointError, match='bias holds .* at iteration 1; .* begin again'):
        FiniteLossHook().before_save_checkpoint(at, {})
    at.train_loop = EPOCHS
    with pytest.raises(FloatingPointError, match='at epoch 1, iteration 1; '):
        FiniteLossHook().before_save_checkpoint(at, {})
    (tmp_path / 'epoch_1.pth').touch()
    at.message_hub.update_info('last_ckpt', str(tmp_path / 'epoch_1.pth'))
    with pytest.raises(FloatingPointError, match=r'goes on from .*epoch_1\.pth with --resume'):
        FiniteLossHook().before_save_checkpoint(at, {})
    at.message_hub.pop_info('last_ckpt')


@pytest.mark.parametrize('by_epoch', [True, False])
def test_no_checkpoint_keeps_weights_that_are_no_numbers(short_config, by_epoch):
    """Seen at the end of the epoch, or when a checkpoint is about to be written before."""
    cfg = short_config(**{'optim_wrapper.optimizer.lr': 1e38, 'optim_wrapper.clip_grad': None,
                          'param_scheduler': None, 'default_hooks.checkpoint': dict(
                              by_epoch=by_epoch, interval=1 if by_epoch else 2)})
    with pytest.raises(FloatingPointError, match=f'iteration {4 if by_epoch else 2}'):
        Runner.from_cfg(cfg).train()
    assert not list(Path(cfg.work_dir).glob('*.pth'))


def test_bfloat16_training_on_cpu_computes_in_bfloat16_and_learns():
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    wrapper = MixedPrecisionOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
                                         clip_grad=dict(max_norm=10.0))
    inputs = torch.randn(16, 4)
    target = inputs.sum(1, keepdim=True)
    losses = []
    for _ in range(20):
        with wrapper.optim_context(model):
            output = model(inputs)
        assert output.dtype == torch.bfloat16
        loss = ((output.float() - target) ** 2).mean()
        wrapper.update_params(loss)
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    state = wrapper.state_dict()
    assert 'loss_scaler' in state
    wrapper.load_state_dict(state)


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match='dtype'):
        MixedPrecisionOptimWrapper(dtype='int8', optimizer=None)
