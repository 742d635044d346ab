"""Source images of jobs, read so that a broken one costs its own job alone."""

import hashlib
from typing import NamedTuple

from PIL import Image

from mmtbps.fileio import AnyPath
from mmtbps.fileio.pictures import decode_picture

__all__ = ['SourceImage', 'read_source']


class SourceImage(NamedTuple):
    """Image of a job, or the error that tells why there is none.

    Args:
        image: RGB.
        sha256: Of the file.
        error: Raised by reading or decoding it.
    """

    image: Image.Image | None
    sha256: str | None
    error: Exception | None


def read_source(path: AnyPath) -> SourceImage:
    """Read an image as training sees it; a broken or missing one has its error instead.

    Args:
        path: Of the file, also in an object store.

    >>> from mmtbps.fileio import as_path
    >>> read_source(as_path('no/such.jpg')).error
    FileNotFoundError(2, 'No such file or directory')
    """
    try:
        data = path.read_bytes()
        return SourceImage(decode_picture(data).image, hashlib.sha256(data).hexdigest(), None)
    except (OSError, ValueError) as error:
        return SourceImage(None, None, error)
