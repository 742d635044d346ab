"""Draw the answers of a model, as ``mmtbps visualize`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'visualize')

if __name__ == '__main__':
    sys.exit(main())
