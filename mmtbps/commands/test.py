"""Evaluate a checkpoint on a config's test set.

Examples:
    mmtbps test configs/tbps/conv_base_drawn.py work_dirs/demo/epoch_12.pth
    mmtbps test CONFIG CHECKPOINT --show-dir work_dirs/ranked --out metrics.json
    mmtbps test CONFIG CHECKPOINT --split val
    mmtbps test CONFIG CHECKPOINT --json > metrics.json
    mmtbps test CONFIG CHECKPOINT --distractors work_dirs/strangers
    mmtbps test CONFIG CHECKPOINT --rerank aptm-model --rerank-k 128

A pretrained model of another library on the data set of a config:
    mmtbps test configs/tbps/vit_bert_base_cuhk.py --model hf:openai/clip-vit-base-patch16
"""

import argparse
import json

from mmengine.dist import is_main_process

from mmtbps.engine.launch import (
    add_allow_missing,
    add_common_options,
    allow_missing_images,
    build_runner,
    check_weights,
    end_group,
    load_config,
    name_model,
)
from mmtbps.fileio import check_writable, explained_disk_full, write_durably
from mmtbps.unknown_types import explain_unknown_types

from .options.model import add_model_positionals, prepare_named_test
from .options.rerank import add_rerank_options, rerank_settings
from .wording.command_names import CommandParser
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: CommandParser) -> None:
    """Add the model, the data set, and what is written about it."""
    add_model_positionals(parser, parser.words, needs_config=True)
    parser.add_argument('--split', choices=['test', 'val'], default='test',
                        help='which of the config\'s data loaders to evaluate')
    parser.add_argument('--partial', action='store_true', help='evaluate even if weights are '
                        'missing or left over')
    add_allow_missing(parser)
    parser.add_argument('--amp', action='store_true', help='encode in mixed precision')
    parser.add_argument('--out', metavar='FILE', help='write the metrics as JSON')
    add_json(parser)
    parser.add_argument('--distractors', metavar='FOLDER', help='add the strangers of '
                        'mmtbps extract-features to the gallery of images')
    add_rerank_options(parser, k=128)
    parser.add_argument('--show-dir', metavar='FOLDER', help='draw ranked lists as PNG there')
    add_common_options(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluate the model."""
    if args.out:
        check_writable(args.out)
    if args.show_dir:
        check_writable(args.show_dir, folder=True)
    cfg = load_config(args, *(() if args.model else ('model', )))
    checkpoint = prepare_named_test(cfg, args)
    if args.allow_missing:
        allow_missing_images(cfg)
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.distractors:
        cfg.test_evaluator.distractors = args.distractors
    if second := rerank_settings(args):
        cfg.test_evaluator.refinements = [*(cfg.test_evaluator.get('refinements') or []), *second]
    if args.show_dir:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []),
                            dict(type='mmtbps.RankListHook', out_dir=args.show_dir)]
    runner = build_runner(cfg)
    report = check_weights(runner, checkpoint, args.partial) if checkpoint else name_model(runner)
    with explain_unknown_types(cfg), explained_disk_full(cfg.work_dir):
        metrics = runner.test()
    if report and report.partial:
        metrics['partial'] = report.partial
        if is_main_process():
            print(f'{checkpoint}: {report}')
    if left_out := runner.test_dataloader.dataset.metainfo.get('left_out'):
        metrics['left_out'] = left_out
    if is_main_process():
        if args.out:
            write_durably(args.out, json.dumps(metrics, indent=1))
        answer(metrics)
    end_group()
