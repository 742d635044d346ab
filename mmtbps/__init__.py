"""mmtbps: text-based person search for the OpenMMLab stack.

Importing it loads neither torch nor MMEngine; their cures act when they are imported.
"""

from . import compat
from .moved import install_former_names
from .version import __version__

compat.apply()
install_former_names()

__all__ = ['__version__']
