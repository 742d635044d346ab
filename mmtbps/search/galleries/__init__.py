"""Galleries of people: one interface, three places to keep them."""

from .base import (
    BaseGallery,
    GalleryChanged,
    GalleryEntry,
    GalleryMismatch,
    Hit,
    NoGallery,
)
from .factory import open_gallery
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery

__all__ = ['BaseGallery', 'GalleryChanged', 'GalleryEntry', 'GalleryMismatch', 'Hit',
           'LanceGallery', 'MemoryGallery', 'MilvusGallery', 'NoGallery', 'open_gallery']
