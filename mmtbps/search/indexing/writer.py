"""Writer of a gallery: encodes crops in batches and stores them file by file."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np
from PIL import Image

from mmtbps.fileio import append_json_lines

from ..captioning import CaptionRun
from ..encoders.base import Encoder
from ..galleries.base import BaseGallery, GalleryEntry

__all__ = ['BATCH_PIXELS', 'GalleryWriter', 'remove_entries']

#: A batch is full at so many pixels too, so that photographs do not fill the memory.
BATCH_PIXELS = 64_000_000
_DELETE_AT_ONCE = 1000


class GalleryWriter:
    """Writer that encodes crops in batches and stores them when their files are complete.

    What the gallery has of a file and is not given again goes.

    Args:
        gallery: Takes the crops.
        encoder: Of the gallery's model.
        batch_size: Crops encoded at once.
        commit_every: Crops stored at once, or more where a file has more.
        log: A JSON line is appended to this file for each file that is safe in the gallery.
        captions: Asked for each crop, and mixed into its feature.

    Attributes:
        begins: Called once, before the first crops are stored; to be set before.
        begun: The same, when they are stored.
        stored: Crops stored so far.
        replaced: Crops so far in whose place, under their id, one of other content was stored.
        removed: Crops removed so far, because their file has changed.
    """

    def __init__(self, gallery: BaseGallery, encoder: Encoder, batch_size: int = 64,
                 commit_every: int = 512, log: str | os.PathLike | None = None,
                 captions: CaptionRun | None = None) -> None:
        self.gallery = gallery
        self.encoder = encoder
        self.batch_size = batch_size
        self.commit_every = commit_every
        self.log = log
        self.captions = captions
        self.begins: Callable[[], object] | None = None
        self.begun: Callable[[], object] | None = None
        self.stored = self.replaced = self.removed = 0
        self._images: list[Image.Image] = []
        self._features: list[np.ndarray] = []
        self._entries: list[GalleryEntry] = []
        self._files: dict[str, str] = {}

    def add(self, entry: GalleryEntry, image: Image.Image) -> None:
        """Add one crop; its file is not complete yet."""
        self._entries.append(entry if self.captions is None else
                             self.captions.describe(entry, image))
        self._images.append(image)
        pixels = sum(image.width * image.height for image in self._images)
        if len(self._images) >= self.batch_size or pixels >= BATCH_PIXELS:
            self._encode()

    def complete(self, files: Mapping[str, str]) -> None:
        """Mark files as complete: all of their crops were added.

        Args:
            files: SHA-256 by path.
        """
        self._files.update(files)
        if len(self._entries) >= self.commit_every:
            self.commit()

    def discard(self, path: str) -> None:
        """Take back the crops of a file that is not complete."""
        self._encode()
        kept = [entry.path != path for entry in self._entries]
        self._entries = [entry for entry, keep in zip(self._entries, kept, strict=True) if keep]
        self._features = [np.concatenate(self._features)[kept]] if self._features else []

    def commit(self) -> None:
        """Store what is complete; on return it is safe, and the log says so."""
        self._encode()
        former = list(chain.from_iterable(self.gallery.known(self._files).values()))
        if self._entries:
            if self.begins is not None:
                self.begins()
                self.begins = None
            self.gallery.upsert(self._entries, np.concatenate(self._features))
            if self.begun is not None:
                self.begun()
                self.begun = None
        new = {entry.id: entry.sha256 for entry in self._entries}
        self.replaced += sum(old.sha256 != new.get(old.id, old.sha256) for old in former)
        self.removed += remove_entries(self.gallery,
                                       [old.id for old in former if old.id not in new])
        self.stored += len(self._entries)
        if self.log is not None:
            numbers = Counter(entry.path for entry in self._entries)
            append_json_lines(self.log, [dict(path=path, sha256=sha256, entries=numbers[path])
                                         for path, sha256 in self._files.items()])
        self._entries, self._features, self._files = [], [], {}

    def _encode(self) -> None:
        if self._images:
            features = self.encoder.encode_images(self._images)
            if self.captions is not None:
                features = self.captions.mix(self._entries[-len(features):], features)
            self._features.append(features)
            self._images = []


def remove_entries(gallery: BaseGallery, ids: Sequence[str]) -> int:
    """Remove entries, so many at once that no request grows too long; return their number."""
    return sum(gallery.delete(ids=ids[start:start + _DELETE_AT_ONCE])
               for start in range(0, len(ids), _DELETE_AT_ONCE))
