"""Galleries of people: one interface; in memory, in LanceDB, on a Milvus server."""

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
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery

__all__ = ['BaseGallery', 'CaptionMismatch', 'GalleryChanged', 'GalleryClosed', 'GalleryEntry',
           'GalleryMismatch', 'GalleryUnreadable', 'Hit', 'LanceGallery', 'MemoryGallery',
           'MilvusGallery', 'NoGallery', 'UnknownEntry', 'open_gallery']
