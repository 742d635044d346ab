"""Generate training pairs, as ``mmtbps generate`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'generate')

if __name__ == '__main__':
    sys.exit(main())
