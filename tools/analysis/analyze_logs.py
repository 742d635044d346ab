"""Draw curves of what runs have logged, as ``mmtbps analyze-logs`` does."""

import sys

from mmtbps.commands import analyze_logs
from mmtbps.commands.open_command import open_command

if __name__ == '__main__':
    sys.exit(open_command(analyze_logs))
