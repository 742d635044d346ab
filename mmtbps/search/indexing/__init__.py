"""Indexing: files of a folder become entries of a gallery."""

from .index import entry_id, index_people
from .metadata import Metadata, MetadataError, read_metadata
from .options import DetectionOptions, IndexOptions
from .report import IndexReport
from .verification import Verification, verify_gallery

__all__ = ['DetectionOptions', 'IndexOptions', 'IndexReport', 'Metadata',
           'MetadataError', 'Verification', 'entry_id', 'index_people', 'read_metadata',
           'verify_gallery']
