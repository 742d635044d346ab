"""Draw DrawnPEDES, as ``mmtbps draw`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'draw_dataset')

if __name__ == '__main__':
    sys.exit(main())
