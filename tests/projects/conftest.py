"""Every project is a package of the folder ``projects``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / 'projects'))
