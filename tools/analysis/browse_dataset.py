"""Draw items of a data set, as ``mmtbps browse-dataset`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'analysis/browse_dataset')

if __name__ == '__main__':
    sys.exit(main())
