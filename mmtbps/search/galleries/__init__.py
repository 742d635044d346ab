"""Galleries of people: one interface; in memory, in LanceDB, in PostgreSQL, on Milvus."""

from .base import (
    BaseGallery,
    CaptionMismatch,
    GalleryChanged,
    GalleryClosed,
    GalleryEntry,
    GalleryMismatch,
    GalleryUnreadable,
    Hit,
    NoGallery,
    UnknownEntry,
)
from .factory import open_gallery
from .faults import NoServer
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery
from .postgres import PostgresGallery

__all__ = ['BaseGallery', 'CaptionMismatch', 'GalleryChanged', 'GalleryClosed', 'GalleryEntry',
           'GalleryMismatch', 'GalleryUnreadable', 'Hit', 'LanceGallery', 'MemoryGallery',
           'MilvusGallery', 'NoGallery', 'NoServer', 'PostgresGallery', 'UnknownEntry',
           'open_gallery']
