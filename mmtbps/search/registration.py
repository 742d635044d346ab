"""Registers galleries in ``TASK_UTILS``, for configs that name them.

Apart, because a gallery itself needs no MMEngine.
"""

from mmtbps.registry import TASK_UTILS

from .galleries import LanceGallery, MemoryGallery, MilvusGallery

__all__ = ['LanceGallery', 'MemoryGallery', 'MilvusGallery']

for part in (LanceGallery, MemoryGallery, MilvusGallery):
    TASK_UTILS.register_module(module=part)
