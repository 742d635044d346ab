"""Draw the learning rate of a training, step by step.

Examples:
    mmtbps vis-scheduler configs/tbps/vit_bert_base_cuhk.py --save-path lr.png
    mmtbps vis-scheduler CONFIG --epoch-length 1064 --save-path lr.png   # without the data
"""

import argparse

from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmtbps.config_file import read_config
from mmtbps.engine.cfg_options import CfgOptions, merge_options
from mmtbps.engine.schedule_curves import learning_rates
from mmtbps.fileio import check_writable
from mmtbps.unknown_types import explain_unknown_types
from mmtbps.visualization import draw_curves

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config and the picture."""
    parser.add_argument('config', help='path of the config, or name of a shipped one')
    parser.add_argument('--save-path', default='learning_rate.png', metavar='FILE',
                        help='picture to write (default: learning_rate.png)')
    parser.add_argument('--epoch-length', type=int, metavar='STEPS',
                        help='steps of an epoch; default: counted on the training data')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
                        help='change settings of the config')


def run(args: argparse.Namespace) -> None:
    """Compute the curve, draw it and print where it goes."""
    check_writable(args.save_path)
    cfg = read_config(args.config, 'optim_wrapper', 'train_cfg', 'train_dataloader')
    merge_options(cfg, args.cfg_options)
    with explain_unknown_types(cfg), DefaultScope.overwrite_default_scope('mmtbps'):
        length = args.epoch_length or _count_steps(cfg)
        rates = learning_rates(cfg, length)
    draw_curves({'lr': (range(len(rates)), rates)}, args.save_path, args.config)
    print(f'{args.save_path}: {len(rates)} steps, {length} an epoch; from {rates[0]:.4g}, '
          f'at most {max(rates):.4g}, to {rates[-1]:.4g}')


def _count_steps(cfg) -> int:
    loader = dict(cfg.train_dataloader, num_workers=0, persistent_workers=False)
    loader.pop('prefetch_factor', None)
    return len(Runner.build_dataloader(loader, seed=0))
