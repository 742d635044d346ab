"""Indexing: files of a folder become entries of a gallery."""

from .index import IndexReport, entry_id, index_people
from .metadata import Metadata, MetadataError, read_metadata
from .options import DetectionOptions, IndexOptions

__all__ = ['DetectionOptions', 'IndexOptions', 'IndexReport', 'Metadata',
           'MetadataError', 'entry_id', 'index_people', 'read_metadata']
