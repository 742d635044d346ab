"""Evaluate a model, as ``mmtbps test`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'test')

if __name__ == '__main__':
    sys.exit(main())
