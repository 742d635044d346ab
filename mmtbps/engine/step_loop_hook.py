"""Hook that lets settings in epochs follow a loop that counts steps alone."""

from collections.abc import Mapping, Sequence
from inspect import isclass
from typing import Any

from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.runner import BaseLoop, Runner

from mmtbps.registry import HOOKS, PARAM_SCHEDULERS

from .resume_hook import counts_epochs, replay_schedule
from .schedules import InRun

__all__ = ['StepLoopHook', 'goes_by_epoch', 'in_steps']


@HOOKS.register_module()
class StepLoopHook(Hook):
    """A hook with which ``IterBasedTrainLoop`` takes the place of ``EpochBasedTrainLoop``.

    A config says much in epochs: schedules, checkpoints, the log. In a loop that counts steps
    alone MMEngine takes the whole run for one epoch, so that a schedule would end after one pass
    over the data, and nothing would be saved before the end. With this hook an epoch of such a
    setting is one pass over the data.

    - Schedules of `mmtbps.engine` follow the steps of the run. Others stay as they are; a config
      gives them ``by_epoch=False``.
    - Checkpoints are written every ``interval`` passes and named by their step.
    - The log counts steps.
    - Losses that change on the way (``TrainingProgress``) learn the length of a pass.

    Settings in steps stay. In a loop of epochs none changes.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Turn epochs into steps, before a checkpoint is read."""
        if not isinstance(runner._train_loop, BaseLoop) or counts_epochs(runner):
            return
        length = len(runner.train_dataloader)
        _follow_steps(runner, length)
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and hook.by_epoch:
                hook.by_epoch, hook.save_begin = False, hook.save_begin * length
                hook.interval *= length if hook.interval > 0 else 1
                if hook.filename_tmpl == 'epoch_{}.pth':
                    hook.filename_tmpl = 'iter_{}.pth'
            if isinstance(hook, LoggerHook):
                hook.log_metric_by_epoch = False
        runner.log_processor.by_epoch = False
        runner.logger.info(f'This run counts steps; an epoch of its settings is one pass over the '
                           f'data, {length} steps')

    def before_train(self, runner: Runner) -> None:
        """Note for ``TrainingProgress`` how the run counts, whatever its checkpoint said of it."""
        runner.message_hub.update_info('by_epoch', counts_epochs(runner))
        runner.message_hub.update_info('epoch_length', len(runner.train_dataloader))


def _follow_steps(runner: Runner, length: int) -> None:
    """Build the schedules anew, those of ours that go by epochs for the steps of the run."""
    settings = (runner.cfg or {}).get('param_scheduler')
    settings = [settings] if isinstance(settings, Mapping) else settings
    if not isinstance(settings, Sequence) or not any(map(goes_by_epoch, settings)):
        return
    for group in runner.optim_wrapper.param_groups:
        group['lr'] = group.get('initial_lr', group['lr'])
    settings = [in_steps(one, runner.max_iters, length) if goes_by_epoch(one) else one
                for one in settings]
    if isinstance(runner, Runner):
        runner.param_schedulers = runner.build_param_scheduler(settings)
        return
    # A FlexibleRunner, whose strategy builds them, has read the checkpoint by now.
    runner.param_schedulers = runner.strategy.param_schedulers = (
        runner.strategy.build_param_scheduler(settings, runner.optim_wrapper))
    replay_schedule(runner)


def goes_by_epoch(settings: Mapping[str, Any]) -> bool:
    """Tell whether settings are of a schedule of ours that goes by epochs."""
    kind = settings['type']
    kind = kind if isclass(kind) else PARAM_SCHEDULERS.get(kind)
    return isclass(kind) and issubclass(kind, InRun) and settings.get('by_epoch', True)


def in_steps(settings: Mapping[str, Any], steps: int, length: int) -> dict[str, Any]:
    """Return the settings of a schedule of steps that follows a run as one of epochs does."""
    options = {key: value for key, value in settings.items()
               if key not in ('by_epoch', 'convert_to_iter_based')}
    end = options.pop('end', steps / length)
    return dict(InRun.in_steps(options, length), end=round(end * length), by_epoch=False)
