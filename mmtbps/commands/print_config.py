"""Print a config with everything it inherits.

Examples:
    mmtbps print-config configs/tbps/vit_bert_pdg_cuhk.py
    mmtbps print-config vit_bert_base_drawn --cfg-options train_cfg.max_epochs=5
    mmtbps print-config vit_bert_base_drawn --json | jq .train_cfg.max_epochs
"""

import argparse

from mmtbps.config_file import read_config
from mmtbps.engine.cfg_options import CfgOptions, merge_options

from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config and changes of it."""
    parser.add_argument('config', help='path of the config, or the bare name of one of this '
                        'package')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
                        help='change settings of the config')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Print the config."""
    cfg = read_config(args.config)
    merge_options(cfg, args.cfg_options)
    if args.json:
        return answer(cfg.to_dict())
    print(cfg.pretty_text)
