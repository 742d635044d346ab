"""Train configs with several seeds, as ``mmtbps multi-seed`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'multi_seed')

if __name__ == '__main__':
    sys.exit(main())
