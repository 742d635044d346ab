"""Hook that keeps the checkpoints of a run."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub

from mmtbps.errors import UserError
from mmtbps.fileio import write_durably
from mmtbps.registry import HOOKS

from .inner_model import inner_model
from .pending_gradients import gather_pending
from .run_folder import POINTER

__all__ = ['DurableCheckpointHook', 'NoRoom', 'VALIDATED', 'checkpoint_bytes']

_BACKEND = 'mmtbps.durable'
_OUTDATED = 'outdated'
_PLACE = ('epoch', 'iter')

#: Step of a run after which it was validated, in the message hub.
VALIDATED = 'last_validation'  # MMEngine logs as a metric what begins like val


class NoRoom(UserError, OSError):
    """A disk that has no space for the checkpoints of a run."""


@register_backend(_BACKEND, force=True)
class DurableFiles(LocalBackend):
    """Local files that are whole under their names."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file durably."""
        write_durably(filepath, bytes(obj))


class _LateRemovals:
    """A storage backend that only notes what is to be removed, also in the checkpoints to come."""

    def __init__(self, backend: Any, folder: str, hub: MessageHub) -> None:
        self.backend, self.folder, self.hub, self.noted = backend, folder, hub, []

    def remove(self, path: str) -> None:
        if _lies_in(path, self.folder):
            self.noted.append(path)
            self.hub.update_info(_OUTDATED, [Path(path).name for path in self.noted])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


@HOOKS.register_module()
class DurableCheckpointHook(CheckpointHook):
    """MMEngine's hook for checkpoints, safe against kills, full disks and resuming elsewhere.

    - A checkpoint is written under another name and renamed when it is on disk: a kill at any
      moment leaves no torn file.
    - An older checkpoint goes after the newer one is there, not before, and none outside the
      folder of the run is ever removed. What a kill has kept from going, goes when the run is
      resumed.
    - A best score counts for its own metric and validation set only. Where a run goes on in
      another folder, its best checkpoint is copied there.
    - Gradients that wait for further steps (``accumulative_counts``) are in the checkpoint, too.
    - A run that has no room for its checkpoints is refused before it begins.

    Args:
        arguments: those of MMEngine's ``CheckpointHook``.

    Raises:
        NoRoom: the disk is too small, before the first step.
        DiskFull: it is full when a checkpoint is written; the former ones are unharmed.

    Example:
        >>> DurableCheckpointHook(save_best='t2i/R1', rule='greater', interval=1).interval
        1
    """

    _pending: dict[str, Any] | None = None
    _place: dict[str, int] | None = None

    def before_train(self, runner) -> None:
        """Look at the folder, the room and the best score so far."""
        if self.file_client_args is None and self.backend_args is None:
            self.backend_args = dict(backend=_BACKEND)
        super().before_train(runner)
        if runner.iter and runner._load_from and _lies_in(runner._load_from, self.out_dir):
            # Saved once more where a validation that is made up for finds a new best.
            self.last_ckpt = self.file_backend.join_path(self.out_dir,
                                                         Path(runner._load_from).name)
            self._clear_up(runner)
        runner.message_hub.runtime_info.pop(_OUTDATED, None)
        self._look_for_room(runner)
        if self.save_best and len(self.key_indicators) == 1 and runner.val_loop is not None:
            self._adopt_best(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict[str, Any]) -> None:
        """Note the place, of which FlexibleRunner says one too many, and gradients that wait."""
        checkpoint['meta'].update(self._place or {})
        if 'optimizer' in checkpoint and self._pending:
            checkpoint['pending_gradients'] = self._pending

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        self._pending = gather_pending(runner)  # by all processes; only the first one writes
        with self._removals_last(runner), self._at(meta):
            super()._save_checkpoint_with_step(runner, step, meta)
        self._pending = None

    def _save_best_checkpoint(self, runner, metrics: dict) -> None:
        if self.save_best:
            runner.message_hub.update_info('best_of', self._judged(runner))
        runner.message_hub.update_info(VALIDATED, runner.iter)
        with self._removals_last(runner), self._at(dict(epoch=runner.epoch, iter=runner.iter)):
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _at(self, place: Mapping[str, int]) -> Iterator[None]:
        """Note this place in what is saved; a best checkpoint gives its own to what it saves."""
        outer, self._place = self._place, self._place or {key: place[key] for key in _PLACE}
        try:
            yield
        finally:
            self._place = outer

    @contextmanager
    def _removals_last(self, runner) -> Iterator[None]:
        """Keep what goes until everything new is written."""
        backend, hub = self.file_backend, runner.message_hub
        if isinstance(backend, _LateRemovals):  # a best checkpoint, with that of its epoch
            yield
            return
        self.file_backend = waiting = _LateRemovals(backend, self.out_dir, hub)
        try:
            yield
        finally:
            self.file_backend = backend
        for path in waiting.noted:
            backend.remove(path)
        hub.runtime_info.pop(_OUTDATED, None)

    @master_only
    def _clear_up(self, runner) -> None:
        """End what a kill may have left undone after the checkpoint that the run goes on from."""
        for name in runner.message_hub.runtime_info.get(_OUTDATED, []):
            path = Path(self.out_dir, Path(name).name)
            if path.is_file():
                path.unlink()
                runner.logger.info(f'{path}, which a newer checkpoint replaced, is removed')
        pointer = Path(runner.work_dir, POINTER)
        if not pointer.is_file() or pointer.read_text('utf-8', 'replace') != self.last_ckpt:
            write_durably(pointer, self.last_ckpt)

    @master_only
    def _look_for_room(self, runner) -> None:
        folder = Path(self.out_dir)
        if not folder.is_dir():
            return
        one = checkpoint_bytes(inner_model(runner), self.save_optimizer)
        count = (self.max_keep_ckpts if self.max_keep_ckpts > 0 else 1) + 1 + bool(self.save_best)
        there = sum(file.stat().st_size for file in folder.glob('*.pth'))
        free = shutil.disk_usage(folder).free
        if free + there < count * one:
            raise NoRoom(
                f'{folder}: a run keeps up to {count} checkpoints of {one / 1e6:,.1f} MB here, but '
                f'{free / 1e6:,.1f} MB are free. Free some space, or name another folder')

    def _judged(self, runner) -> list[str]:
        """Describe the metric and the validation set of a best score."""
        known = getattr(runner.val_loop.dataloader.dataset, 'metainfo', {})
        files = known.get('ann_files') or {}
        return [self.key_indicators[0], str(known.get('split')), *map(str, files.values())]

    def _adopt_best(self, runner) -> None:
        """Forget a best score that is not of this metric and set; bring its file here."""
        hub = runner.message_hub
        if 'best_score' not in hub.runtime_info:
            return
        path = Path(self.best_ckpt_path or '')
        judged = hub.runtime_info.get('best_of')
        prefix = f'best_{self.key_indicators[0]}_'.replace('/', '_')
        if (judged != self._judged(runner) if judged else not path.name.startswith(prefix)):
            runner.logger.info(f'The best score so far, of {path.name}, is of another metric or '
                               'validation set: the choice of the best begins anew')
            return self._forget_best(hub)
        here = Path(self.out_dir) / path.name
        if path.is_file() and here.resolve() != path.resolve() and is_main_process():
            write_durably(here, path.read_bytes())
            runner.logger.info(f'The best checkpoint so far is copied from {path}')
        if not here.is_file() and not path.is_file():
            runner.logger.info(f'{here}: the best checkpoint so far is gone, so the choice of the '
                               'best begins anew')
            return self._forget_best(hub)
        self.best_ckpt_path = str(here)
        hub.update_info('best_ckpt', str(here))

    def _forget_best(self, hub) -> None:
        self.best_ckpt_path = None
        for key in ('best_score', 'best_ckpt', 'best_of'):
            hub.runtime_info.pop(key, None)


def _lies_in(path: str | Path, folder: str | Path) -> bool:
    return Path(path).resolve().parent == Path(folder).resolve()


def checkpoint_bytes(model: torch.nn.Module, optimizer: bool = True) -> int:
    """Estimate the size of a checkpoint.

    Args:
        model: the model.
        optimizer: with two moments for each trained weight, as of Adam.

    Returns:
        Bytes of the tensors; names and settings are not counted.

    Example:
        >>> checkpoint_bytes(torch.nn.Linear(3, 1))
        48
    """
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    moments = sum(2 * value.numel() * value.element_size() for value in model.parameters()
                  if value.requires_grad)
    return weights + moments * optimizer
