"""``python -m mmtbps COMMAND``, the same as ``mmtbps COMMAND``."""

import sys

from mmtbps.commands.main import main

if __name__ == '__main__':
    sys.exit(main())
