"""Model of a gallery: noted by its name, or written to a folder beside the gallery."""

import contextlib
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
from ..galleries.provenance import Noted, write_provenance
from ..galleries.write_lock import gallery_lock

__all__ = ['note_model']

#: The gallery may be written, and the folder around it not.
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)


def note_model(gallery: str | Noted, encoder: Encoder, model: str | os.PathLike | None = None,
               weights: str | os.PathLike | None = None) -> str | None:
    """Note the model of a gallery, so that a query needs no more than the gallery's name.

    A folder or a name of a hub is noted as it is. A config is a program, and its files lie where
    nobody else has them: the model that it makes is written to a folder beside the gallery, named
    after it and the model's fingerprint. That of a gallery on a server lies beside the checkpoint.

    Args:
        gallery: Open, or the folder of one; it exists.
        encoder: The model.
        model: Name by which it was loaded.
        weights: The checkpoint, if that was named too.

    Returns:
        Why the model cannot be noted; None if it is.
    """
    uri = gallery if isinstance(gallery, str) else gallery.uri
    address = getattr(encoder, 'address', model if weights is None else None)
    if address is None and model is not None:
        if (place := _place_beside(uri, weights)) is None:
            return f'{model} has no checkpoint here, beside which its folder could lie'
        try:
            address = _write_folder(place, encoder, None if '://' in uri else uri)
        except (AttributeError, BadValue, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _DENIED:
                raise
            beside = weights if '://' in uri else uri
            return f'{model} cannot be written to a folder beside {beside} ({error})'
    write_provenance(gallery, model=address, details=getattr(encoder, 'description', None))
    return None


def _place_beside(uri: str, weights: str | os.PathLike | None) -> Path | None:
    """Return the path beside which the folder of a model lies, as that of a gallery on a server."""
    if '://' not in uri:
        return Path(os.path.abspath(uri))  # also '.' has a name
    return Path(weights).absolute() if weights is not None and os.path.isfile(weights) else None


def _write_folder(place: Path, encoder: Encoder, locked: str | None) -> Path:
    """Write a model beside a path, unless it is there, and return its folder.

    Args:
        place: Of the gallery, or of the checkpoint.
        encoder: The model.
        locked: Folder of the gallery whose lock keeps others out; None where there is no lock.
    """
    known = hashlib.sha256(json.dumps(encoder.fingerprint, sort_keys=True).encode()).hexdigest()
    folder = place.with_name(f'{place.name}.model-{known[:8]}')
    with contextlib.nullcontext() if locked is None else gallery_lock(locked):
        if folder.exists():
            return folder
        for left in place.parent.glob(f'.{glob.escape(folder.name)}.partial-*') if locked else ():
            shutil.rmtree(left)  # by a kill
        try:
            with durable_folder(folder) as partial:
                encoder.save_pretrained(partial)
        except OSError:
            if locked is not None or not folder.exists():  # else another process was faster
                raise
    return folder
