"""Export a model for other programs, as ``mmtbps export`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'export')

if __name__ == '__main__':
    sys.exit(main())
