"""Arguments that are a path of this machine or an address in an object store."""

import argparse

from mmtbps.errors import BadValue
from mmtbps.fileio import AnyPath, as_path

__all__ = ['path_or_address']


def path_or_address(text: str) -> AnyPath:
    """Read an argument; an address that carries a password is refused without showing it.

    Raises:
        argparse.ArgumentTypeError: It is no address that is read.

    Example:
        >>> path_or_address('s3://bucket/crops')
        RemotePath('s3://bucket/crops')
    """
    try:
        return as_path(text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
