"""Draw items of a data set as the model sees them, as ``mmtbps browse-dataset`` does."""

import sys

from mmtbps.commands import browse_dataset
from mmtbps.commands.open_command import open_command

if __name__ == '__main__':
    sys.exit(open_command(browse_dataset))
