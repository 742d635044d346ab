"""Evidence on disk, so that no model looks at a picture twice."""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.fileio import damaged_record, write_durably

from .base import KEYPOINTS, PARTS, EditEvidence

__all__ = ['EvidenceCache', 'hash_pixels']

_ARRAYS = ('person', 'parts', 'keypoints')
#: Raised by NumPy, zipfile and json for a file that is not there, torn, changed, or none of ours.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, RuntimeError,
            zipfile.BadZipFile, zlib.error)


def hash_pixels(image: Image.Image) -> str:
    """Compute the SHA-256 of a picture's size and RGB pixels, whatever file it came from.

    >>> tall, wide = Image.new('RGB', (2, 3)), Image.new('RGB', (3, 2))
    >>> hash_pixels(tall) == hash_pixels(tall.convert('L')) != hash_pixels(wide)
    True
    """
    digest = hashlib.sha256(f'{image.width} x {image.height}:'.encode())
    digest.update(image.convert('RGB').tobytes())
    return digest.hexdigest()


class EvidenceCache:
    """Folder of evidence: a file for each picture and each set of settings it was looked at with.

    Processes may share it. A file that is damaged counts as none.

    Args:
        folder: Made when the first evidence is kept.

    >>> import tempfile
    >>> cache, picture = EvidenceCache(tempfile.mkdtemp()), hash_pixels(Image.new('RGB', (4, 8)))
    >>> cache.keep(picture, dict(type='Detector'), EditEvidence(box=(0, 1, 4, 8)))
    >>> cache.find(picture, dict(type='Detector')).box, cache.find(picture, dict(type='Other'))
    ((0.0, 1.0, 4.0, 8.0), None)
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)

    def find(self, picture: str, settings: Mapping[str, Any]) -> EditEvidence | None:
        """Return what was kept of a picture, by its `hash_pixels`; ``None`` if nothing whole is."""
        try:
            return _decode(self._file(picture, settings).read_bytes())
        except _DAMAGED:
            return None

    def keep(self, picture: str, settings: Mapping[str, Any], evidence: EditEvidence) -> None:
        """Write the evidence of a picture, in place of what there was.

        Raises:
            OSError: The disk refuses. :class:`~mmtbps.fileio.DiskFull` where it is full.
        """
        write_durably(self._file(picture, settings), _encode(evidence))

    def _file(self, picture: str, settings: Mapping[str, Any]) -> Path:
        # The names, because a number in a file is the place of a name among them.
        text = json.dumps([picture, settings, PARTS, KEYPOINTS], sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / name[:2] / f'{name}.npz'


def _encode(evidence: EditEvidence) -> bytes:
    arrays = {name: value for name in _ARRAYS
              if (value := getattr(evidence, name)) is not None}
    if evidence.box is not None:
        arrays['box'] = np.asarray(evidence.box, np.float64)
    buffer = io.BytesIO()
    # The names of all arrays: a damaged list of the archive can hide one of them.
    note = json.dumps(dict(arrays=sorted(arrays), sources=dict(evidence.sources)))
    np.savez_compressed(buffer, note=np.array(note), **arrays)
    return buffer.getvalue()


def _decode(content: bytes) -> EditEvidence:
    if damaged_record(io.BytesIO(content)) is not None:
        raise ValueError('a checksum does not fit')
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    note = json.loads(str(values.pop('note')))
    if note['arrays'] != sorted(values):
        raise ValueError('it has other arrays than it had')
    sources = dict(note['sources'])
    left, top, right, bottom = values.pop('box').tolist() if 'box' in values else [None] * 4
    return EditEvidence(**values, sources=sources,
                        box=None if left is None else (left, top, right, bottom))
