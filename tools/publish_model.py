"""Write weights to hand on, as ``mmtbps publish-model`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'publish_model')

if __name__ == '__main__':
    sys.exit(main())
