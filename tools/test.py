"""Evaluate a checkpoint on a config's test set.

Examples:
    python tools/test.py configs/tbps/vit_bert_base_drawn.py work_dirs/demo/last.pth
    python tools/test.py CONFIG CHECKPOINT --show-dir work_dirs/ranked --out metrics.json
    python tools/test.py CONFIG CHECKPOINT --split val
    python tools/test.py CONFIG CHECKPOINT --distractors work_dirs/strangers
"""

import argparse
import json
from pathlib import Path

from mmengine.dist import is_main_process

from mmtbps.commands.user_errors import one_line_errors
from mmtbps.engine.launch import (
    add_common_options,
    build_runner,
    check_weights,
    leave_group,
    load_config,
    prepare_test,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('--split', choices=['test', 'val'], default='test',
                        help='which of the config\'s data loaders to evaluate')
    parser.add_argument('--partial', action='store_true', help='evaluate even if weights are '
                        'missing or left over')
    parser.add_argument('--amp', action='store_true', help='encode in mixed precision')
    parser.add_argument('--out', metavar='FILE', help='write the metrics as JSON')
    parser.add_argument('--distractors', metavar='FOLDER', help='add the strangers of '
                        'tools/extract_features.py to the gallery of images')
    parser.add_argument('--show-dir', metavar='FOLDER', help='draw ranked lists as PNG there')
    add_common_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args, 'model')
    prepare_test(cfg, args.checkpoint, args.split)
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.distractors:
        cfg.test_evaluator.distractors = args.distractors
    if args.show_dir:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []),
                            dict(type='mmtbps.RankListHook', out_dir=args.show_dir)]
    runner = build_runner(cfg)
    report = check_weights(runner, args.checkpoint, args.partial)
    metrics = runner.test()
    if report.misfits and is_main_process():
        print(f'{args.checkpoint}: {report}')
    if args.out and is_main_process():
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(metrics, indent=1), encoding='utf-8')
    leave_group()


if __name__ == '__main__':
    with one_line_errors():
        main()
