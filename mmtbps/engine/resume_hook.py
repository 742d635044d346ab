"""Hook that looks after the beginning of a run: a new one, or one that goes on."""

import warnings
from collections.abc import Iterator
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmtbps.errors import UserError
from mmtbps.registry import HOOKS

from .checkpoint_hook import VALIDATED
from .pending_gradients import restore_pending
from .run_folder import NotResumable, check_resumable, choose_start, refuse_taken
from .run_settings import FIXED, FREE, NOTED, ChangedSettings, compare_settings, describe_run

__all__ = ['ResumeHook', 'begun_steps', 'counts_epochs', 'passes_done', 'replay_schedule',
           'validation_is_due']


@HOOKS.register_module()
class ResumeHook(Hook):
    """A hook that makes a resumed run equal the uninterrupted one, or says why it cannot.

    - A run neither begins nor goes on in a folder that holds the checkpoints of another.
    - ``resume=True`` goes on from the newest checkpoint that is whole; without one a new run
      begins, from the weights of ``load_from`` if the config has it.
    - Learning rate, decay, betas, clipping, schedule and length are those of the config, the
      schedule as if it had been so from the first step; each change is a line in the log, as is
      one of the pipeline or of the rest of the model.
    - An epoch, or step, after which the run was to be validated and that its checkpoint holds no
      result of is validated before the run goes on, also where it was the last one.
    - Another seed, number of processes, batch size, sampler, data, loss or mixup makes another
      run: it is refused, unless the config says ``resume_anyway=True``; the changes are then noted
      in every later checkpoint.

    Raises:
        FolderTaken: a run in the folder of another.
        NotResumable: no checkpoint is whole, or it holds weights only.
        ChangedSettings: the run has begun with other settings.
    """

    priority = 'VERY_LOW'  # after the schedules are built and whatever else a hook prepares

    def __init__(self) -> None:
        self._begun = self._replay = False
        self._pending: dict[str, Any] | None = None
        self._changes: list[str] = []

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to begin with."""
        # MMEngine builds the loop where it trains: in a test alone it is settings still.
        if self._begun or runner._has_loaded or not isinstance(runner._train_loop, BaseLoop):
            return
        self._begun = True
        if not runner._resume:
            return refuse_taken(runner.work_dir)
        if runner._load_from is not None:
            check_resumable(runner._load_from)
            refuse_taken(runner.work_dir, runner._load_from)
        else:
            start = choose_start(runner.cfg, 'auto')
            runner._load_from, runner._resume = start.checkpoint, start.resume
            runner.logger.info(start.said)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the settings that the run began with, and take those that may change."""
        if runner._train_loop is None or not runner._resume:
            return
        self._pending = checkpoint.pop('pending_gradients', None)
        before = checkpoint.get('meta', {}).get('run')
        if before is None:
            runner.logger.info('The checkpoint does not note the settings of its run, which '
                               'therefore cannot be compared')
            return
        now = describe_run(runner)
        self._changes = list(before.get('changed', []))
        if changes := compare_settings(before, now, FIXED):
            if not runner.cfg.get('resume_anyway'):
                raise ChangedSettings(changes)
            self._changes += changes
        free = compare_settings(before, now, FREE)
        for line in changes + free + compare_settings(before, now, NOTED):
            runner.logger.info(f'changed: {line}')
        if free:
            _take_options(runner, checkpoint, before['optimizer'], now['optimizer'])
            self._replay = bool(checkpoint.pop('param_schedulers', None))

    def before_train(self, runner: Runner) -> None:
        """Bring data and schedule to the place where the run goes on; validate there if it is due.

        Raises:
            NotResumable: that is within an epoch, and the sampler cannot begin there.
        """
        begun, length = begun_steps(runner), len(runner.train_dataloader)
        if counts_epochs(runner) and not self._changes and runner.iter == length * (
                runner.epoch + 1):
            begun = length  # the last step of an epoch whose end is still to come
        if begun:
            _skip(runner, begun)
        elif not counts_epochs(runner):
            _begin_at_step(runner)
        if self._pending:
            restore_pending(runner, self._pending)
            self._pending = None
        if self._replay:
            self._replay = False
            replay_schedule(runner)
            rates = sorted({group['lr'] for group in runner.optim_wrapper.param_groups})
            runner.logger.info('The schedule is that of the config; the learning rate here is '
                               + ', '.join(f'{rate:.4g}' for rate in rates))
        if validation_is_due(runner):
            runner.logger.info('The checkpoint holds no result of the validation that was to '
                               'follow it, which is made up for')
            runner.val_loop.run()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note the settings of the run."""
        if is_main_process():
            checkpoint['meta']['run'] = dict(describe_run(runner), changed=self._changes)


def counts_epochs(runner: Runner) -> bool:
    """Return whether the run goes by epochs, and not by steps alone."""
    return hasattr(runner.train_loop, 'run_epoch')


def passes_done(runner: Runner) -> int:
    """Count the whole passes over the data that are done, in either loop."""
    return runner.epoch if counts_epochs(runner) else runner.iter // len(runner.train_dataloader)


def begun_steps(runner: Runner) -> int:
    """Count the steps of an epoch that was begun before; 0 in a loop that counts steps alone."""
    return runner.iter % len(runner.train_dataloader) if counts_epochs(runner) else 0


def validation_is_due(runner: Runner) -> bool:
    """Tell whether the place where a run is resumed is one of validation, but holds no result.

    Args:
        runner: resumed, or new, for which nothing is due.
    """
    loop = runner.train_loop
    place, last = ((runner.epoch, runner.max_epochs) if counts_epochs(runner) else
                   (runner.iter, runner.max_iters))
    if (runner.val_loop is None or not runner.iter or begun_steps(runner) or place < loop.val_begin
            or runner.message_hub.runtime_info.get(VALIDATED) == runner.iter):
        return False
    loop._decide_current_val_interval()
    return place % loop.val_interval == 0 or place == last


def replay_schedule(runner: Runner) -> None:
    """Step schedules that are at their beginning to the place of the run.

    Args:
        runner: resumed, its schedules as built from the config.
    """
    schedulers = runner.param_schedulers or []
    length, by_epoch = len(runner.train_dataloader), counts_epochs(runner)
    with warnings.catch_warnings():
        # torch warns of schedules that move before the optimizer does.
        warnings.simplefilter('ignore')
        for step in range(1, runner.iter + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch or (by_epoch and not step % length
                                              and step <= runner.epoch * length):
                    scheduler.step()


def _skip(runner: Runner, steps: int) -> None:
    """Leave out the batches that the run has seen in this epoch."""
    loader = runner.train_dataloader
    sampler = _sampler_of(loader)
    if sampler is None:
        raise NotResumable(
            f'the checkpoint was written within an epoch, in which {type(loader.sampler).__name__} '
            'cannot begin: take a SeededSampler or IdentitySampler, or resume from the end of an '
            'epoch')
    sampler.begun = runner.epoch, steps * loader.batch_sampler.batch_size
    runner.logger.info(f'{steps} steps of epoch {runner.epoch + 1} are done already')


def _sampler_of(loader: DataLoader) -> Any | None:
    """Return the sampler of a loader if it can begin within an epoch."""
    return next((one for one in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None))
                 if hasattr(one, 'begun')), None)


def _begin_at_step(runner: Runner) -> None:
    """Let a loop of steps begin with the batches that are due, none of which has been loaded yet.

    MMEngine has begun to load by then, with the seed that a new run would have, and loads all that
    a resumed run has seen a second time.
    """
    loop, loader = runner.train_loop, runner.train_dataloader
    if _sampler_of(loader) is not None and hasattr(loop, 'dataloader_iterator'):
        loop.dataloader_iterator = batches = _Batches(loader, runner.iter)
        if getattr(loop, 'fast_forward_on_resume', False):  # of the OneDL fork: it asks for none
            batches.left = 0


class _Batches:
    """Endless batches of a loader whose sampler can begin anywhere, pass after pass.

    Args:
        loader: the loader.
        steps: batches that were seen before; MMEngine asks for them first, and gets nothing.
    """

    def __init__(self, loader: DataLoader, steps: int) -> None:
        self.loader, self.left = loader, steps
        self.turn, self.done = divmod(steps, len(loader))
        self.batches: Iterator[Any] | None = None

    def __iter__(self) -> '_Batches':
        return self

    def __next__(self) -> Any:
        if self.left:
            self.left -= 1
            return None
        while True:
            if self.batches is None:
                sampler = _sampler_of(self.loader)
                sampler.set_epoch(self.turn)
                sampler.begun = self.turn, self.done * self.loader.batch_sampler.batch_size
                self.batches, self.turn, self.done = iter(self.loader), self.turn + 1, 0
            try:
                return next(self.batches)
            except StopIteration:
                self.batches = None

    def skip_iter(self, steps: int) -> None:
        """Pass over batches as the OneDL fork asks for it."""
        self.left = max(0, self.left - steps)


def _take_options(runner: Runner, checkpoint: dict[str, Any], before: Any, now: Any) -> None:
    """Replace the options of a saved optimizer by those of the config."""
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        raise UserError('the settings of several optimizers cannot change where a run is resumed')
    kinds = [settings.get('optimizer', {}).get('type', '').rpartition('.')[2]
             for settings in (before, now)]
    if kinds[0] != kinds[1]:
        raise NotResumable(f'this run was begun with {kinds[0]}, and the config has {kinds[1]}, '
                           f'which cannot go on with its state: take {kinds[0]} again, or begin a '
                           'new run, in an empty work folder or with --overwrite, from these '
                           'weights (load_from) or from none')
    groups, fresh_groups = checkpoint['optimizer']['param_groups'], wrapper.optimizer.param_groups
    if [*map(_kind_of_group, groups)] != [*map(_kind_of_group, fresh_groups)]:
        raise NotResumable('the config makes other groups of weights than this run had: undo what '
                           'it says of them, or begin a new run from these weights (load_from)')
    for saved, fresh in zip(groups, fresh_groups, strict=True):
        saved.update((key, value) for key, value in fresh.items() if key != 'params')
    checkpoint['optimizer'].pop('base_param_settings', None)  # those of the config are logged


def _kind_of_group(group: dict[str, Any]) -> tuple[int, Any]:
    """Return how many weights a group has, and whether they are matrices to `MuonAdamW`."""
    return len(group['params']), group.get('matrices')
