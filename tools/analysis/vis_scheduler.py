"""Draw the learning rate of a training, as ``mmtbps vis-scheduler`` does."""

import sys

from mmtbps.commands import vis_scheduler
from mmtbps.commands.open_command import open_command

if __name__ == '__main__':
    sys.exit(open_command(vis_scheduler))
