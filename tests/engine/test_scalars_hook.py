"""Scalars that stay on the device: the log and the checkpoints are the stock hook's."""

import itertools
import json
import re
from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmtbps.engine import DeferredScalarsHook, MixedPrecisionOptimWrapper
from mmtbps.engine.scalars_hook import to_numbers
from mmtbps.fileio import load_checkpoint_file

CLOCK = ('time', 'data_time', 'memory', 'eta')
NUMBERS = itertools.count()


def test_numbers_are_those_of_item():
    scalars = [torch.tensor(0.1), torch.tensor([7]), torch.tensor(0.1, dtype=torch.double),
               torch.tensor(3.14, dtype=torch.bfloat16), torch.tensor([[True]]),
               torch.tensor(float('inf')), torch.tensor(2**40 + 1)]
    assert to_numbers(scalars) == [scalar.item() for scalar in scalars]
    assert [type(number) for number in to_numbers(scalars)] == [
        type(scalar.item()) for scalar in scalars]
    assert to_numbers([]) == []


def logged(work_dir):
    """The scalars in their order and the lines of the log, without what the clock says."""
    scalars = [{key: value for key, value in json.loads(line).items() if key not in CLOCK}
               for line in next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    lines = re.findall(r'Epoch\((?:train|val)\).*', next(work_dir.glob('*/*.log')).read_text())
    lines = [re.sub(r'(?:data_time|time|eta): [\d:.]+', '', line) for line in lines]
    return [list(line.items()) for line in scalars], lines


def history(checkpoint):
    return {key: values.data[0].tolist()
            for key, values in checkpoint['message_hub']['log_scalars'].items()
            if key.rpartition('/')[2] not in CLOCK}


def test_log_and_checkpoints_are_as_with_the_stock_hook(short_run):
    """Logged after 3 of an epoch's 4 iterations, saved after 2 and 4, kept for 7 at most."""
    settings = {'train_cfg.max_epochs': 2, 'default_hooks.logger.interval': 3,
                'optim_wrapper.type': 'MixedPrecisionOptimWrapper',
                'default_hooks.checkpoint': dict(by_epoch=False, interval=2, max_keep_ckpts=-1)}
    stock = short_run(**settings, **{'default_hooks.runtime_info': dict(type='RuntimeInfoHook')})
    ours = short_run(**settings, **{
        'default_hooks.runtime_info': dict(type='DeferredScalarsHook', interval=7)})
    expected, lines = logged(stock)
    assert logged(ours) == (expected, lines)
    assert len(expected) == 3 and len(lines) == 3  # two of training, one of validation
    assert {'grad_norm', 'loss', 'loss_contrastive'} <= dict(expected[0]).keys()
    for iteration in (2, 4, 6, 8):
        one, other = (load_checkpoint_file(folder / f'iter_{iteration}.pth')
                      for folder in (stock, ours))
        assert history(one) == history(other)
        assert len(history(other)['train/grad_norm']) == iteration


@pytest.fixture
def step():
    """A function that trains a linear layer for one step under the hook, outside a Runner."""
    return build_step(DeferredScalarsHook(interval=3), 'cpu')


def build_step(hook, device):
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 1).to(device)
    hub = MessageHub.get_instance(f'deferred_{next(NUMBERS)}')
    wrapper = OptimWrapper(torch.optim.AdamW(layer.parameters(), fused=True),
                           clip_grad=dict(max_norm=1.0))
    runner = SimpleNamespace(
        message_hub=hub, optim_wrapper=wrapper, hooks=[], epoch=0, iter=0, max_epochs=1,
        max_iters=100, model=None, train_dataloader=Batches())
    hook.before_train(runner)
    inputs = torch.randn(8, 4).to(device)

    def run():
        loss = layer(inputs).square().mean()
        wrapper.update_params(loss)
        hook.after_train_iter(runner, runner.iter, outputs=dict(loss=loss, share=0.5))
        runner.iter += 1
        return {key: len(values.data[0]) for key, values in hub.log_scalars.items()}

    run.runner = runner
    return run


class Batches:
    """A loader whose epoch does not end here."""

    dataset = None

    def __len__(self):
        return 1000


def test_values_come_at_once_only_the_first_time_and_then_every_interval(step):
    counts = [step() for _ in range(8)]
    assert [count['train/loss'] for count in counts] == [1, 1, 1, 4, 4, 4, 7, 7]
    assert all(len(set(count.values())) == 1 and len(count) == 3 for count in counts)


def test_values_come_when_a_logger_writes_and_after_training(step):
    step.runner.hooks = [LoggerHook(interval=5)]
    assert [step()['train/loss'] for _ in range(6)] == [1, 1, 1, 4, 5, 5]
    hook = DeferredScalarsHook(interval=50)
    step = build_step(hook, 'cpu')
    assert [step()['train/grad_norm'] for _ in range(6)] == [1] * 6
    hook.after_train(step.runner)
    assert len(step.runner.message_hub.get_scalar('train/grad_norm').data[0]) == 6


def test_a_step_asks_for_no_value(step, monkeypatch):
    def refuse(*_):
        raise AssertionError('the value of a tensor was asked for')

    step()
    for name in ('item', 'tolist', '__float__', '__bool__', '__int__', 'cpu', 'numpy'):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    step()
    step()
    with pytest.raises(AssertionError, match='asked for'):
        step()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_a_step_on_a_gpu_does_not_synchronise():
    step = build_step(DeferredScalarsHook(interval=10), 'cuda')
    step()
    torch.cuda.set_sync_debug_mode('error')
    try:
        for _ in range(9):
            step()
        with pytest.raises(RuntimeError, match='synchroniz'):
            step()
    finally:
        torch.cuda.set_sync_debug_mode('default')


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_a_step_of_the_model_on_a_gpu_does_not_synchronise(tiny_retriever, tiny_batch):
    """Half precision with loss scaling, clipping and a fused optimizer."""
    model = tiny_retriever(mixup=dict(type='FeatureMixup', prob=0.5)).cuda()
    wrapper = MixedPrecisionOptimWrapper(
        dtype='float16', optimizer=torch.optim.AdamW(model.parameters(), fused=True),
        clip_grad=dict(max_norm=1.0))
    hook = DeferredScalarsHook()
    runner = SimpleNamespace(message_hub=MessageHub.get_instance('deferred_model'), hooks=[],
                             epoch=0, iter=0, max_epochs=1, max_iters=9, optim_wrapper=wrapper,
                             model=None, train_dataloader=Batches())
    hook.before_train(runner)
    data = model.data_preprocessor(tiny_batch(), training=True)
    try:
        for step in range(5):
            with wrapper.optim_context(model):
                losses = model(**data, mode='loss')
            loss, scalars = model.parse_losses(losses)
            wrapper.update_params(loss)
            hook.after_train_iter(runner, step, outputs=scalars)
            torch.cuda.set_sync_debug_mode('error')  # the first step may
    finally:
        torch.cuda.set_sync_debug_mode('default')
    hook.hand_over(runner)
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == 5


def test_several_optimizers_keep_their_norms():
    hook = DeferredScalarsHook()
    layers = [torch.nn.Linear(2, 1, bias=False) for _ in range(2)]
    wrappers = [OptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.0), clip_grad=clip)
                for layer, clip in zip(layers, (dict(max_norm=1.0), dict(type='value',
                                                                        clip_value=1.0)),
                                       strict=True)]
    hub = MessageHub.get_instance('deferred_two')
    runner = SimpleNamespace(message_hub=hub, epoch=0, iter=0, max_epochs=1, max_iters=1, hooks=[],
                             model=None, train_dataloader=Batches(),
                             optim_wrapper=OptimWrapperDict(one=wrappers[0], two=wrappers[1]))
    hook.before_train(runner)
    for layer, wrapper in zip(layers, wrappers, strict=True):
        wrapper.update_params(layer(torch.tensor([3.0, 4.0])).sum())
        assert layer.weight.grad is None
    hook.hand_over(runner)
    assert hub.log_scalars == OrderedDict({'train/grad_norm': hub.get_scalar('train/grad_norm')})
    assert hub.get_scalar('train/grad_norm').current() == pytest.approx(5.0)


def test_an_interval_is_positive():
    with pytest.raises(ValueError, match='positive'):
        DeferredScalarsHook(interval=0)
