"""Draw a learning rate, as ``mmtbps vis-scheduler`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'analysis/vis_scheduler')

if __name__ == '__main__':
    sys.exit(main())
