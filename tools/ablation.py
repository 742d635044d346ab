"""Train the arms of an ablation, as ``mmtbps ablation`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'ablation')

if __name__ == '__main__':
    sys.exit(main())
