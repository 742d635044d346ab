"""Pack images into few files, as ``mmtbps pack`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'pack_images')

if __name__ == '__main__':
    sys.exit(main())
