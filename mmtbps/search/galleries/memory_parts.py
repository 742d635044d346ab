"""Parts of a gallery in memory: the two files of each, and their checksum."""

import hashlib
from pathlib import Path

from mmtbps.fileio import why_no_file

__all__ = ['sum_of_part']


def sum_of_part(path: Path) -> str:
    """Compute the SHA-256 of both files of a part."""
    content = hashlib.sha256()
    for file in (path.with_suffix('.json'), path.with_suffix('.safetensors')):
        if reason := why_no_file(file, ''):  # what is gone is no damage
            raise ValueError(f'{file.name} is {reason}')
        with open(file, 'rb') as opened:
            while block := opened.read(1 << 20):
                content.update(block)
    return content.hexdigest()
