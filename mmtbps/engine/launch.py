"""Construction of a Runner of a config and command-line options, to train or to test."""

import argparse
import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner

from mmtbps.config_file import read_config
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, explained_disk_full
from mmtbps.models import inference_settings
from mmtbps.models.loading import LoadReport, load_strictly
from mmtbps.registry import RUNNERS
from mmtbps.unknown_types import explain_unknown_types

from .cfg_options import CfgOptions, merge_options
from .inner_model import inner_model
from .preflight import data_settings
from .preflight_hook import PreflightHook
from .readiness import log_lines, stop_if_unready
from .run_folder import Start, move_away, refuse_taken
from .selection import describe_selection
from .setting_values import stop_if_wrong
from .strict_load_hook import inputs_of_run

__all__ = ['add_allow_missing', 'add_common_options', 'allow_missing_images', 'build_runner',
           'check_weights', 'end_group', 'end_process', 'is_first_process', 'leave_group',
           'load_config', 'name_model', 'prepare_pretrained_test', 'prepare_test',
           'use_compilation', 'use_mixed_precision']

# Names of torchrun's variables and of those of other launchers.
_PLACES = {
    'slurm': dict(RANK='SLURM_PROCID', WORLD_SIZE='SLURM_NTASKS', LOCAL_RANK='SLURM_LOCALID'),
    'mpi': {'RANK': 'OMPI_COMM_WORLD_RANK', 'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
            'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK'}}


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that mmpretrain's train and test tools share."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin host memory')
    parser.add_argument('--no-persistent-workers', action='store_true',
                        help='start new loader workers each epoch')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
                        help='change settings of the config, e.g. train_cfg.max_epochs=5')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        default='none', help='how several processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)


def add_allow_missing(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that read a test set, for `allow_missing_images`."""
    parser.add_argument('--allow-missing', action='store_true', help='go on even if images of the '
                        'test set are missing or broken; how many is said beside the result')


def load_config(args: argparse.Namespace, *needs: str) -> Config:
    """Read the config and merge the shared options into it.

    Args:
        args: parsed options of :func:`add_common_options`, and ``config``.
        needs: keys that the config must have.

    Returns:
        The config, its ``work_dir`` set.

    Raises:
        WrongValues: a value of it cannot be.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_config(args.config, *needs)
    cfg.launcher = args.launcher
    merge_options(cfg, args.cfg_options)
    stop_if_wrong(cfg)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if not loader:
            continue
        loader.setdefault('pin_memory', torch.cuda.is_available() and not args.no_pin_memory)
        loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
        if args.no_pin_memory:
            loader.pin_memory = False
        if args.no_persistent_workers or not loader.get('num_workers', 0):
            loader.persistent_workers = False
    return cfg


def prepare_test(cfg: Config, checkpoint: str | None, split: str = 'test') -> None:
    """Reduce a config to one that only evaluates: no training part, no heads.

    Args:
        cfg: a complete config; changed in place.
        checkpoint: what to evaluate; ``None`` for a model that brings its weights.
        split: ``'test'``, or ``'val'`` to evaluate on the validation split.
    """
    cfg.load_from, cfg.resume = checkpoint, False
    cfg.model = inference_settings(cfg.model)
    if split == 'val':
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    for name in ('strategy', 'runner_type'):  # a model is tested whole
        cfg.pop(name, None)


def prepare_pretrained_test(cfg: Config, model: str, split: str = 'test',
                            aspect: str | None = None, prompts: Sequence[str] | None = None
                            ) -> None:
    """Reduce a config to one that evaluates a pretrained dual encoder on its data set.

    Data set, split and metric stay; of the pipeline only the reading of images does, because the
    model has a preprocessing of its own.

    Args:
        cfg: a complete config; changed in place.
        model: name of the dual encoder.
        split: ``'test'``, or ``'val'`` to evaluate on the validation split.
        aspect: as in :class:`~mmtbps.models.dual_encoders.DualEncoder`.
        prompts: likewise.
    """
    prepare_test(cfg, None, split)
    cfg.model = dict(type='mmtbps.PretrainedRetriever', model=model, aspect=aspect,
                     prompts=list(prompts) if prompts else None)
    loader = cfg.test_dataloader
    reading = [step for step in loader.dataset.pipeline
               if _name_of(step['type']).startswith('LoadImage')]
    loader.dataset.pipeline = [*reading, dict(type='mmtbps.PackPicture')]
    loader.collate_fn = dict(type='pseudo_collate')


def name_model(runner: Runner) -> None:
    """Put the description of a pretrained model into the protocol line of every metric."""
    model = inner_model(runner)
    for metric in runner.test_evaluator.metrics:
        metric.model = model.in_words()


def allow_missing_images(cfg: Config) -> None:
    """Let images of the test set be missing or broken; the protocol line says how many are."""
    for settings in data_settings(cfg.test_dataloader.dataset):
        settings['allow_missing'] = True


def use_mixed_precision(cfg: Config) -> None:
    """Replace the config's optimizer wrapper by the mixed-precision one."""
    cfg.optim_wrapper.type = 'mmtbps.MixedPrecisionOptimWrapper'
    cfg.optim_wrapper.setdefault('dtype', 'bfloat16')


def use_compilation(cfg: Config) -> None:
    """Add the compilation of layers; a ``CompileHook`` of the config keeps its settings."""
    hooks = cfg.get('custom_hooks') or []
    names = [_name_of(hook['type']) for hook in hooks]
    if not any(name.endswith('CompileHook') for name in names):
        cfg.custom_hooks = [*hooks, dict(type='mmtbps.CompileHook')]


def build_runner(cfg: Config, start: Start | None = None, overwrite: bool = False,
                 word: Callable[[str], str] = str) -> Runner:
    """Check that every file is there and the data fit, open the process group, build the Runner.

    Args:
        cfg: a complete config.
        start: from `choose_start`; the checkpoint to begin with, if not that of the config.
        overwrite: move what lies in the work folder away, once all else is in order.
        word: words a line for the log, which may be a `~mmtbps.errors.Notice` with a remedy.

    Raises:
        WrongValues: a value of the config cannot be.
        MissingFiles: data sets or weights are missing; every one is named, with its remedy.
        UnknownType: a type of the config is not registered.
        UnfitData: training and validation share people, or a tokenizer does not know the captions.
        FolderTaken: the work folder holds the checkpoints of another run.
        NotWritable: nothing can be written in the work folder.
        NotReady: several kinds of these at once.
    """
    stop_if_wrong(cfg)
    checks = []
    if cfg.get('work_dir'):
        checks.append(lambda: check_writable(cfg.work_dir, folder=True))
    if start:
        cfg.load_from, cfg.resume = start.checkpoint, start.resume
        if not overwrite:
            resumed_from = start.checkpoint if start.resume else None
            checks.append(lambda: refuse_taken(cfg.work_dir, resumed_from))
    with explain_unknown_types(cfg), explained_disk_full(cfg.get('work_dir')):
        lines = stop_if_unready(cfg, *checks)
        if overwrite and is_first_process(cfg.launcher):
            move_away(cfg.work_dir)
        if cfg.launcher != 'none' and not torch.cuda.is_available():
            _start_cpu_group(cfg)
        with _dumped_beside_a_training(cfg):
            runner = _runner_class(cfg).from_cfg(cfg)
    for hook in runner.hooks:
        if isinstance(hook, PreflightHook):
            hook.checked = True
    log_lines(runner.logger, [*lines, *([start.said] if start else [])], word)
    return runner


@contextmanager
def _dumped_beside_a_training(cfg: Config) -> Iterator[None]:
    """Let MMEngine write the config of a test beside that of the training, and not over it.

    Both have the same work folder by default, and that of a test can train nothing.
    """
    name = cfg.filename
    if name and cfg.get('train_cfg') is None:
        object.__setattr__(cfg, '_filename', str(Path(name).with_suffix('.test.py')))
    try:
        yield
    finally:
        object.__setattr__(cfg, '_filename', name)


def check_weights(runner: Runner, checkpoint: str, partial: bool = False) -> LoadReport:
    """Load strictly the checkpoint that a Runner is about to test, and log the result.

    The protocol line of its metrics then says how the checkpoint was chosen, and what of it did not
    fit.

    Args:
        runner: from `build_runner`.
        checkpoint: ``.pth`` or ``.safetensors``.
        partial: let weights be missing or left over.

    Raises:
        WeightsMisfit: a weight of a tower or neck is missing, left over or of another shape.
        BadValue: it was trained with another vocabulary or normalisation.
    """
    model = inner_model(runner)
    report = load_strictly(model, checkpoint, partial,
                           inputs=inputs_of_run(runner, runner.test_dataloader))
    runner.logger.info(f'{checkpoint}: {report}')
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    for metric in runner.test_evaluator.metrics:
        metric.partial = report.partial
        if getattr(metric, 'selection', '') is None:
            metric.selection = describe_selection(checkpoint, content)
    return report


def _runner_class(cfg: Config) -> type:
    """Return the class that a config asks for; a strategy is one of MMEngine's FlexibleRunner."""
    return RUNNERS.get(cfg.get('runner_type') or (
        'FlexibleRunner' if cfg.get('strategy') else 'Runner'))


def leave_group() -> None:
    """Close the process group together, after a run that went well.

    A process that just exits may take gloo's threads down while a peer still talks to them.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def end_group() -> None:
    """Leave the process group and end this process; without a group nothing happens.

    The threads of torch and gloo that are left were seen to end a process that had done all its
    work by SIGABRT, while they were taken down with the interpreter (once in some thirty runs of
    two nodes on a CPU). Its node then counted as failed, and the others waited for it for five
    minutes.
    """
    if torch.distributed.is_initialized():
        leave_group()
        end_process(0)


def end_process(code: int) -> NoReturn:
    """End this process at once, after what Python itself does at its end.

    Args:
        code: the exit code.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, 'SIGCHLD'):
        # Workers of loaders are terminated now, which torch would report as a failure of theirs.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_first_process(launcher: str) -> bool:
    """Return whether this is the first of the processes that a launcher starts."""
    rank = _PLACES.get(launcher, {}).get('RANK', 'RANK' if launcher == 'pytorch' else '')
    return os.environ.get(rank, '0') == '0'


def _name_of(kind: str | type) -> str:
    """Return the bare name of a class, or of one that a config names in any way."""
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def _start_cpu_group(cfg: Config) -> None:
    # MMEngine's own start-up calls CUDA whatever the machine has.
    if not torch.distributed.is_initialized():
        _place_process(cfg.launcher)
        torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None,
                                 broadcast_buffers=False,
                                 find_unused_parameters=cfg.get('find_unused_parameters', False))


def _place_process(launcher: str) -> None:
    """Name this process as torchrun does where Slurm or Open MPI has started it."""
    if launcher not in _PLACES:
        return
    missing = [name for name in _PLACES[launcher].values() if name not in os.environ]
    if missing:
        raise BadValue(f'--launcher {launcher}: {missing[0]} is not set, so that no '
                       f'{dict(slurm="srun", mpi="mpirun").get(launcher)} has started this process')
    os.environ.update({name: os.environ[theirs] for name, theirs in _PLACES[launcher].items()})
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        if launcher == 'mpi':
            raise BadValue('--launcher mpi: MASTER_ADDR is not set; give mpirun '
                           '-x MASTER_ADDR=HOST, the host of the first process')
        names = subprocess.run(['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
                               capture_output=True, text=True, check=True).stdout.split()
        os.environ['MASTER_ADDR'] = names[0]
