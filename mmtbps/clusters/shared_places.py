"""Places that each machine of a cluster must see."""

import platform

from mmtbps.errors import MissingFile
from mmtbps.fileio import AnyPath

__all__ = ['check_shared']


def check_shared(place: AnyPath) -> None:
    """Check, in an actor, that its machine sees what the process that was started has seen.

    Args:
        place: Of the images.

    Raises:
        MissingFile: It does not; without that, each file would be missing by itself.

    Example:
        >>> from pathlib import Path
        >>> check_shared(Path('/'))
    """
    if not place.exists():
        raise MissingFile(f'{place} is not there on {platform.node()}, a machine of the cluster: '
                          'all of them need it at the same path, or by an address in a store')
