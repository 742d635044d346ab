"""Check data sets, as ``mmtbps check-data`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'check_data')

if __name__ == '__main__':
    sys.exit(main())
