"""Galleries of people: one interface, three places to keep them."""

from .base import BaseGallery, GalleryEntry, GalleryMismatch, Hit
from .factory import open_gallery
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery

__all__ = ['BaseGallery', 'GalleryEntry', 'GalleryMismatch', 'Hit', 'LanceGallery',
           'MemoryGallery', 'MilvusGallery', 'open_gallery']
