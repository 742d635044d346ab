"""Indexing: files of a folder become entries of a gallery."""

from .index import entry_id, index_people
from .metadata import Metadata, MetadataError, read_metadata
from .options import DetectionOptions, IndexOptions
from .report import IndexReport

__all__ = ['DetectionOptions', 'IndexOptions', 'IndexReport', 'Metadata',
           'MetadataError', 'entry_id', 'index_people', 'read_metadata']
