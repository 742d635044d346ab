"""Hook that tries out, before the first step, what a run would do much later."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmtbps.datasets.wrappers import data_sets_in
from mmtbps.errors import SeveralFaults, UserError, first_line
from mmtbps.registry import HOOKS

from .inner_model import whole_model
from .resume_hook import counts_epochs

__all__ = ['RehearsalHook', 'SettingsMisfit']


class SettingsMisfit(SeveralFaults, ValueError):
    """Settings that do not fit each other."""

    heading = 'this run would not come to its end:'


@HOOKS.register_module()
class RehearsalHook(Hook):
    """A hook that finds settings whose fault shows only after hours.

    Before the first step it looks whether batches hold more than one pair, gives the text tower the
    longest caption that its tokenizer may make, evaluates some images of the validation set as a
    small set of their own, and looks whether the metric that chooses the best checkpoint is among
    the results. All that is wrong is said together. Random numbers, message hub, loaders and the
    mode of the model are left as they were: a run is the same with and without it.

    Args:
        images: images of the validation set that are evaluated.

    Raises:
        SettingsMisfit: naming everything that is wrong.
    """

    priority = 'VERY_LOW'

    def __init__(self, images: int = 4) -> None:
        self.images = images

    def before_train(self, runner: Runner) -> None:
        """Rehearse, and refuse to begin if anything goes wrong."""
        with _nothing_changed(runner):
            with whole_model(runner) as model:
                unread = [*_misread_captions(runner, model)]
            # A tower that cannot read captions would fail in validation, too.
            problems = [*_lonely_batches(runner)] + (
                unread or [*self._failing_validation(runner)])
        if problems:
            raise SettingsMisfit(problems)
        for line in _unfit_schedules(runner):
            runner.logger.warning(line)

    def _failing_validation(self, runner: Runner) -> Iterator[UserError]:
        """Find what would end the run at its first validation."""
        if runner.val_loop is None or not runner.cfg.get('val_evaluator'):
            return
        loader, model = runner.val_loop.dataloader, runner.model
        rank, world = get_dist_info()
        count = min(self.images, len(loader.dataset) // world)
        if not count:
            return
        try:
            # As a sampler deals them: every process has images of its own.
            batch = loader.collate_fn([loader.dataset[rank + world * turn]
                                       for turn in range(count)])
            evaluator = runner.build_evaluator(copy.deepcopy(runner.cfg.val_evaluator))
            evaluator.dataset_meta = getattr(loader.dataset, 'metainfo', None)
            model.eval()
            with torch.no_grad():
                outputs = model.val_step(batch)
            metrics = _measure(evaluator, outputs, batch, count * world)
        except UserError as error:
            yield error
            return
        for hook in runner.hooks:
            for key in getattr(hook, 'key_indicators', None) or []:
                if key != 'auto' and key not in metrics:
                    yield UserError(f'save_best={key!r}: the evaluator gives no such metric, but '
                                    f'{", ".join(metrics)}')


def _misread_captions(runner: Runner, model: nn.Module) -> Iterator[UserError]:
    """Find captions that the data set may make and the text tower cannot read."""
    tower = getattr(model, 'text_backbone', None)
    steps = [step for dataset in data_sets_in(runner.train_dataloader.dataset)
             for step in getattr(getattr(dataset, 'pipeline', None), 'transforms', [])]
    for step in steps:
        if tower is None or not hasattr(step, 'max_length') or not hasattr(step, 'tokenizer'):
            continue
        device = next(tower.parameters()).device
        ids = torch.ones(1, step.max_length, dtype=torch.long, device=device)
        known, words = getattr(tower, 'vocab_size', None), _vocabulary(step)
        if known and words > known:
            yield UserError(f'the tokenizer {step.tokenizer!r} has {words} words, but the text '
                            f'tower knows {known}: take the tokenizer of its weights')
            continue
        try:
            with torch.no_grad():
                tower.eval()(ids, torch.ones_like(ids, dtype=torch.bool))
        except UserError as error:
            yield error
        except (RuntimeError, IndexError, ValueError) as error:
            yield UserError(f'{type(step).__name__}(max_length={step.max_length}): the text '
                            f'tower cannot read so many tokens ({first_line(error)})')


def _lonely_batches(runner: Runner) -> Iterator[UserError]:
    """Find batches in which a pair has no other to be told apart from: their loss is 0."""
    _, world = get_dist_info()
    size = getattr(runner.train_dataloader.batch_sampler, 'batch_size', None)
    if size is not None and size * world < 2:
        yield UserError('train_dataloader.batch_size=1 in one process: a batch of one pair has '
                        'nothing to tell it apart from, and nothing would be learned; take more')


def _measure(evaluator: Evaluator, outputs: Any, batch: Any, count: int) -> dict[str, float]:
    """Evaluate some images as a set of their own."""
    evaluator.process(data_samples=outputs, data_batch=batch)
    return evaluator.evaluate(count)


def _vocabulary(step: Any) -> int:
    from mmtbps.datasets.transforms.tokenize import load_tokenizer
    return len(load_tokenizer(step.tokenizer))


def _unfit_schedules(runner: Runner) -> Iterator[str]:
    """Say where the schedules end if that is not where the run does."""
    schedulers = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    length = len(runner.train_dataloader)
    last = max((scheduler.end * (length if scheduler.by_epoch else 1) for scheduler in schedulers
                if getattr(scheduler, 'end', None)), default=runner.max_iters)
    unit, size = ('epoch', length) if counts_epochs(runner) else ('step', 1)
    place = f'{unit} {last / size:g} of {runner.max_iters / size:g}'
    if last < runner.max_iters * .999:
        yield f'the schedule ends at {place}; the learning rate stays as it is then'
    elif last > runner.max_iters * 1.001:
        yield f'the schedule ends at {place}, after the run: it is cut off'


@contextmanager
def _nothing_changed(runner: Runner) -> Iterator[None]:
    """Put random states, message hub, the modes of the model and the log back as they were."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    hub = copy.deepcopy(runner.message_hub.state_dict())
    modes = [(module, module.training) for module in runner.model.modules()]
    level = runner.logger.level
    runner.logger.setLevel('WARNING')  # no protocol line of a few images beside those of the run
    try:
        yield
    finally:
        runner.logger.setLevel(level)
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        if on_gpu:
            torch.cuda.set_rng_state_all(on_gpu)
        runner.message_hub.load_state_dict(hub)
        for module, training in modes:
            module.training = training
