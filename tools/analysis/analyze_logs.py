"""Draw what runs have logged, as ``mmtbps analyze-logs`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'analysis/analyze_logs')

if __name__ == '__main__':
    sys.exit(main())
