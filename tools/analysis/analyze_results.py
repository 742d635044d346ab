"""Draw the queries that a model answers worst, as ``mmtbps visualize failures`` does."""

import sys

from mmtbps.commands.main import main

if __name__ == '__main__':
    sys.exit(main(['visualize', 'failures', *sys.argv[1:]]))
