"""Features of hits: as the search brought them, and of the gallery what it did not."""

from collections.abc import Sequence

import numpy as np

from ..galleries.base import BaseGallery, Hit

__all__ = ['features_of']


def features_of(gallery: BaseGallery, ids: Sequence[str], hits: Sequence[Hit]) -> np.ndarray:
    """Return the features of entries, ``(len(ids), D)``; those that no hit brings are read.

    Args:
        gallery: Of the entries.
        ids: Their ids.
        hits: Of a search, with features or without.

    Raises:
        UnknownEntry: There is no such entry.
    """
    known = {hit.entry.id: hit.feature for hit in hits if hit.feature is not None}
    if missing := [key for key in ids if key not in known]:
        known.update(zip(missing, gallery.get(missing)[1], strict=True))
    return np.stack([known[key] for key in ids]) if len(ids) else np.zeros(
        (0, gallery.dim), np.float32)
