"""Draw people in every colour, as ``mmtbps draw-balanced`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'draw_balanced')

if __name__ == '__main__':
    sys.exit(main())
