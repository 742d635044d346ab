"""Run the whole path on drawn people, as ``mmtbps demo`` does, in the folder of this checkout."""

import os
import sys
from functools import partial
from pathlib import Path

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'demo')

if __name__ == '__main__':
    os.chdir(Path(__file__).resolve().parent.parent)
    sys.exit(main())
