"""Calibrate a model, as ``mmtbps calibrate`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'calibrate')

if __name__ == '__main__':
    sys.exit(main())
