"""Checks of zip archives, of which checkpoints are a kind."""

import os
import zipfile
import zlib

__all__ = ['damaged_record']


def damaged_record(path: str | os.PathLike) -> str | None:
    """Find a record of a zip archive whose content does not fit its checksum.

    `torch.save` writes an archive with a CRC-32 for each tensor, which `torch.load` does not
    look at: a bit that flipped on the disk or on the way becomes a weight.

    Args:
        path: The archive.

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
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        for record in archive.namelist():
            try:
                with archive.open(record) as content:
                    while content.read(1 << 20):
                        pass
            except (zipfile.BadZipFile, zlib.error, EOFError):
                return record
    return None
