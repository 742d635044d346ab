"""Factory of the sources of captions."""

import os

from mmtbps.errors import BadValue

from .caption_file import CAPTION_SUFFIXES, CaptionFile
from .sources import CaptionModel, CaptionSource

__all__ = ['open_captions']


def open_captions(name: str | os.PathLike, device: str | None = None) -> CaptionSource:
    """Open a file of captions by its ending, or else load a model that writes them.

    Args:
        name: ``.json``, ``.jsonl`` or ``.ndjson``; ``'hf:owner/name'`` or ``'hf:FOLDER'``.
        device: Of a model.

    Raises:
        BadValue: It is neither.
        MissingFile: It is not there.
    """
    name = os.fspath(name)
    if name.lower().endswith(CAPTION_SUFFIXES):
        return CaptionFile(name)
    if os.path.isfile(name):
        raise BadValue(f'{name}: a file of captions ends in {", ".join(CAPTION_SUFFIXES)}')
    return CaptionModel(name, device)
