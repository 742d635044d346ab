"""Count operations of a model, as ``mmtbps get-flops`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'analysis/get_flops')

if __name__ == '__main__':
    sys.exit(main())
