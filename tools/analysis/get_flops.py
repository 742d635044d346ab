"""Count parameters and operations of a model, as ``mmtbps get-flops`` does."""

import sys

from mmtbps.commands import get_flops
from mmtbps.commands.open_command import open_command

if __name__ == '__main__':
    sys.exit(open_command(get_flops))
