"""Search a folder of people by text, as ``mmtbps index``, ``query``, ``serve`` and others do."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'search')

if __name__ == '__main__':
    sys.exit(main())
