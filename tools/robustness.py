"""Measure models on other data and changed inputs, as ``mmtbps robustness`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'robustness')

if __name__ == '__main__':
    sys.exit(main())
