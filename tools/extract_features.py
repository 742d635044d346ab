"""Encode images into files, as ``mmtbps extract-features`` does."""

import sys
from functools import partial

from mmtbps.commands.main import run_tool

main = partial(run_tool, 'extract_features')

if __name__ == '__main__':
    sys.exit(main())
