"""Model of a gallery: noted by its name, or written to a folder beside the gallery."""

import errno
import glob
import hashlib
import json
import os
import shutil
from pathlib import Path

from mmtbps.errors import BadValue
from mmtbps.fileio import durable_folder

from ..encoders.base import Encoder
from ..galleries.provenance import write_provenance
from ..galleries.write_lock import gallery_lock

__all__ = ['note_model']

#: The gallery may be written, and the folder around it not.
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)


def note_model(uri: str, encoder: Encoder, model: str | os.PathLike | None = None,
               weights: str | os.PathLike | None = None) -> str | None:
    """Note the model of a gallery, so that a query needs no more than the gallery's name.

    A folder or a name of a hub is noted as it is. A config is a program, and its files lie where
    nobody else has them: the model that it makes is written to a folder beside the gallery, named
    after it and the model's fingerprint.

    Args:
        uri: An existing gallery; nothing is done for one on a server.
        encoder: The model.
        model: Name by which it was loaded.
        weights: The checkpoint, if that was named too.

    Returns:
        Why the model cannot be noted; None if it is.
    """
    address = getattr(encoder, 'address', model if weights is None else None)
    if address is None and model is not None and '://' not in uri:
        try:
            address = _write_folder(uri, encoder)
        except (AttributeError, BadValue, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _DENIED:
                raise
            return f'{model} cannot be written to a folder beside {uri} ({error})'
    write_provenance(uri, model=address, details=getattr(encoder, 'description', None))
    return None


def _write_folder(uri: str, encoder: Encoder) -> Path:
    """Write a model beside a gallery, unless it is there, and return its folder."""
    known = hashlib.sha256(json.dumps(encoder.fingerprint, sort_keys=True).encode()).hexdigest()
    place = Path(os.path.abspath(uri))  # also '.' has a name
    folder = place.with_name(f'{place.name}.model-{known[:8]}')
    with gallery_lock(uri):
        if not folder.exists():
            for left in place.parent.glob(f'.{glob.escape(folder.name)}.partial-*'):
                shutil.rmtree(left)  # by a kill
            with durable_folder(folder) as partial:
                encoder.save_pretrained(partial)
    return folder
