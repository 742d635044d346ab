"""Train a model from a config.

Examples:
    python tools/train.py configs/tbps/vit_bert_base_drawn.py
    python tools/train.py configs/tbps/vit_bert_pdg_cuhk.py --amp --compile --work-dir work_dirs/pdg
    python tools/train.py configs/tbps/vit_bert_pdg_cuhk.py --resume
    python tools/train.py configs/tbps/vit_bert_base_cuhk.py --cfg-options train_cfg.max_epochs=5
"""

import argparse
from contextlib import nullcontext

from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors, word_notice
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


def parse_args() -> argparse.Namespace:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='continue from a checkpoint, or from the newest whole one of the '
                             'work folder; without one, begin')
    parser.add_argument('--overwrite', action='store_true',
                        help='begin anew in a work folder that holds a run, which is moved to '
                             'old-DATE inside it')
    parser.add_argument('--amp', action='store_true', help='mixed precision (bfloat16)')
    parser.add_argument('--compile', action='store_true',
                        help='compile the layers of both towers (inductor); slow first steps')
    parser.add_argument('--no-validate', action='store_true', help='skip validation')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the total batch size')
    add_common_options(parser)
    args = parser.parse_args()
    if args.resume and args.overwrite:
        parser.error('--resume and --overwrite exclude each other')
    return args


def main() -> None:
    args = parse_args()
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


if __name__ == '__main__':
    with one_line_errors('interrupted; --resume goes on from the last checkpoint'):
        main()
