"""List pretrained models, as ``mmtbps models`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'models')

if __name__ == '__main__':
    sys.exit(main())
