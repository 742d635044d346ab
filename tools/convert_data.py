"""Open the command ``mmtbps convert-data``."""

import argparse

from mmtbps.commands import convert_data
from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors


def main(argv: list[str] | None = None) -> None:
    parser = CommandParser(description=convert_data.__doc__,
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    convert_data.add_arguments(parser)
    args = parser.parse_args(argv)
    with one_line_errors(convert_data.INTERRUPTED):
        convert_data.run(args)


if __name__ == '__main__':
    main()
