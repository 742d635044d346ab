"""Convert published checkpoints, as ``mmtbps convert`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'convert_weights')

if __name__ == '__main__':
    sys.exit(main())
