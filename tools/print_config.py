"""Print a config with all it inherits, as ``mmtbps print-config`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'print_config')

if __name__ == '__main__':
    sys.exit(main())
