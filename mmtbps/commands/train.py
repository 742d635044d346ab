"""Train a model from a config.

Examples:
    mmtbps train configs/tbps/vit_bert_base_drawn.py
    mmtbps train configs/tbps/vit_bert_pdg_cuhk.py --amp --compile --work-dir work_dirs/pdg
    mmtbps train configs/tbps/vit_bert_pdg_cuhk.py --resume
    mmtbps train configs/tbps/vit_bert_base_cuhk.py --cfg-options train_cfg.max_epochs=5
"""

import argparse
from contextlib import nullcontext

from mmtbps.engine.launch import (
    add_common_options,
    build_runner,
    end_group,
    is_first_process,
    load_config,
    use_compilation,
    use_mixed_precision,
)
from mmtbps.engine.run_folder import alone_in, choose_start
from mmtbps.fileio import explained_disk_full
from mmtbps.unknown_types import explain_unknown_types

from .wording.user_errors import word_notice

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted; --resume goes on from the last checkpoint'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, and the settings that are no part of it."""
    parser.add_argument('config', help='path of the config')
    start = parser.add_mutually_exclusive_group()
    start.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='continue from a checkpoint, or from the newest whole one of the '
                             'work folder; without one, begin')
    start.add_argument('--overwrite', action='store_true',
                        help='begin anew in a work folder that holds a run, which is moved to '
                             'old-DATE inside it')
    parser.add_argument('--amp', action='store_true', help='mixed precision (bfloat16)')
    parser.add_argument('--compile', action='store_true',
                        help='compile the layers of both towers (inductor); slow first steps')
    parser.add_argument('--no-validate', action='store_true', help='skip validation')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the total batch size')
    add_common_options(parser)


def run(args: argparse.Namespace) -> None:
    """Train the model."""
    cfg = load_config(args, 'model')
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        use_mixed_precision(cfg)
    if args.compile:
        use_compilation(cfg)
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    # One process of a group holds the folder for all of them.
    with alone_in(cfg.work_dir) if is_first_process(cfg.launcher) else nullcontext():
        runner = build_runner(cfg, choose_start(cfg, args.resume), args.overwrite, word_notice)
        # The types of loaders and their pipelines are looked up when it runs.
        with explain_unknown_types(cfg), explained_disk_full(cfg.work_dir):
            runner.train()
    end_group()
