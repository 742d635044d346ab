"""Indexing: files of a folder become entries of a gallery."""

from .index import IndexReport, entry_id, index_people
from .metadata import Metadata, read_metadata
from .options import DetectionOptions, IndexOptions

__all__ = ['DetectionOptions', 'IndexOptions', 'IndexReport', 'Metadata', 'entry_id',
           'index_people', 'read_metadata']
