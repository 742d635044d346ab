"""Count parameters and operations of a model, for one picture and one caption.

Examples:
    mmtbps get-flops configs/tbps/vit_bert_base_drawn.py
    mmtbps get-flops configs/clip/clip_b16_itc_cuhk.py --shape 384 128 --words 77 --json
"""

import argparse

from mmengine.registry import DefaultScope

from mmtbps.config_file import read_config
from mmtbps.engine.cfg_options import CfgOptions, merge_options
from mmtbps.engine.parameter_rules import freeze_weights
from mmtbps.errors import BadValue
from mmtbps.models.complexity import measure_complexity
from mmtbps.registry import MODELS
from mmtbps.unknown_types import explain_unknown_types

from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config and the size of what is encoded."""
    parser.add_argument('config', help='path of the config, or name of a shipped one')
    parser.add_argument('--shape', type=int, nargs='+', metavar='PIXELS',
                        help='height and width of the picture, or one side of a square; default: '
                             'that of the image tower')
    parser.add_argument('--words', type=int, default=64, help='tokens of the caption (default: 64)')
    add_json(parser)
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
                        help='change settings of the config')


def run(args: argparse.Namespace) -> None:
    """Build the model without weights and print a table."""
    cfg = read_config(args.config, 'model')
    merge_options(cfg, args.cfg_options)
    with explain_unknown_types(cfg), DefaultScope.overwrite_default_scope('mmtbps'):
        model = MODELS.build(cfg.model)
    # The optimizer of a config may leave weights as they are.
    paramwise = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}  # None to test alone
    freeze_weights(model, paramwise.get('rules', []))
    size = tuple(args.shape or model.image_backbone.image_size or (384, 128))
    if len(size) > 2 or min(size) < 1 or args.words < 1:
        raise BadValue('--shape takes one or two numbers of pixels above 0, and --words a number '
                       'above 0')
    found = measure_complexity(model, (size[0], size[-1]), args.words)
    if args.json:
        return answer({name: one._asdict() for name, one in found.items()})
    print(f'one picture of {size[0]} x {size[-1]} pixels, one caption of {args.words} tokens')
    print(f'{"":<8}{"parameters":>16}{"trained":>16}{"GMACs":>12}')
    for name, one in found.items():
        print(f'{name:<8}{one.parameters:>16,}{one.trained:>16,}{one.macs / 1e9:>12.4f}')
    print('GMACs: multiplications with an addition, which mmpretrain calls FLOPs; products of '
          'matrices, convolutions and attention')
