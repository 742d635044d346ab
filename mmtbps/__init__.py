"""mmtbps: text-based person search for the OpenMMLab stack.

Importing it loads neither torch nor MMEngine; their cures act when they are imported.
"""

from . import compat
from .version import __version__

compat.apply()

__all__ = ['__version__']
