"""Checks of zip archives, of which checkpoints are a kind."""

import os
import zipfile
import zlib
from typing import IO

__all__ = ['damaged_record', 'swollen_record']

#: Times of its packed size that an archive may unpack to; weights hardly shrink.
_MOST_UNPACKED = 20
_SMALL = 1 << 23


def damaged_record(file: str | os.PathLike | IO[bytes]) -> str | None:
    """Find a record of a zip archive whose content does not fit its checksum.

    `torch.save` writes an archive with a CRC-32 for each tensor, which `torch.load` does not
    look at: a bit that flipped on the disk or on the way becomes a weight.

    Args:
        file: The archive.

    Returns:
        The name of the first damaged record; ``None`` if all are whole, or if the file is no
        archive.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / 'weights.pth'
        >>> with zipfile.ZipFile(path, 'w') as archive:
        ...     archive.writestr('data/0', b'weights')
        >>> damaged_record(path) is None
        True
        >>> _ = path.write_bytes(path.read_bytes().replace(b'weights', b'weighty'))
        >>> damaged_record(path)
        'data/0'
    """
    if not zipfile.is_zipfile(file):
        return None
    with zipfile.ZipFile(file) as archive:
        for record in archive.namelist():
            try:
                with archive.open(record) as content:
                    while content.read(1 << 20):
                        pass
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
                return record  # the last: packed in a way, or with a word, that nobody knows
    return None


def swollen_record(file: str | os.PathLike | IO[bytes]) -> str | None:
    """Find the largest record of a zip archive that says it unpacks to far more than it holds.

    Such an archive would fill the memory, or keep a check busy for hours.

    Args:
        file: The archive.

    Returns:
        The name of that record; ``None`` of another archive, or if the file is none.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
        ...     archive.writestr('data/0', bytes(1 << 24))
        >>> swollen_record(file)
        'data/0'
    """
    if not zipfile.is_zipfile(file):
        return None
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
    packed, unpacked = (sum(getattr(record, size) for record in records)
                        for size in ('compress_size', 'file_size'))
    if unpacked <= max(_MOST_UNPACKED * packed, _SMALL):
        return None
    return max(records, key=lambda record: record.file_size).filename
