"""Train a model, as ``mmtbps train`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'train')

if __name__ == '__main__':
    sys.exit(main())
