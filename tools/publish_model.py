"""Write the weights of a checkpoint as a file to hand on, as ``mmtbps publish-model`` does."""

import sys

from mmtbps.commands import publish_model
from mmtbps.commands.open_command import open_command

if __name__ == '__main__':
    sys.exit(open_command(publish_model))
