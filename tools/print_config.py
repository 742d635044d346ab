"""Print a config with everything it inherits.

Example:
    python tools/print_config.py configs/tbps/vit_bert_pdg_cuhk.py
"""

import argparse

import mmtbps  # noqa: F401  so that mmtbps:: bases are found
from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors
from mmtbps.config_file import read_config
from mmtbps.engine.cfg_options import CfgOptions, merge_options


def main() -> None:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE')
    args = parser.parse_args()
    with one_line_errors():
        cfg = read_config(args.config)
        merge_options(cfg, args.cfg_options)
        print(cfg.pretty_text)


if __name__ == '__main__':
    main()
