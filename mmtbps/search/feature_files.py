"""Features of a folder of images in files, each of which is written when it is whole.

Batches are encoded by this process or by many, and may come back in any order: a batch holds the
same images wherever it is encoded, and a file the features of its images in their order.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmtbps.fileio import AnyPath, write_durably

from .encoders.base import Encoder
from .media.images import UnreadableImage, read_image

__all__ = ['BatchEncoder', 'Encoded', 'FeatureFiles', 'NumberedImage']

#: Images encoded at once.
BATCH = 64
#: An image with its place in the list of all.
NumberedImage = tuple[int, AnyPath]


class Encoded(NamedTuple):
    """Features of the readable images of a batch.

    Args:
        features: ``(n, dim)`` float32.
        left_out: Of each image that cannot be read, its path and the reason.
    """

    features: np.ndarray
    left_out: Sequence[str] = ()


class BatchEncoder:
    """Reader and encoder of batches of image files.

    Args:
        encoder: Of the model.
        workers: Threads that read.
    """

    def __init__(self, encoder: Encoder, workers: int = 2) -> None:
        self.encoder = encoder
        self.workers = workers

    def __call__(self, batch: Sequence[NumberedImage]) -> Encoded:
        """Encode the readable images of a batch, in their order."""
        with ThreadPoolExecutor(self.workers) as pool:
            read = list(pool.map(_try_to_read, [path for _, path in batch]))
        images = [image for image in read if isinstance(image, Image.Image)]
        features = (self.encoder.encode_images(images) if images else
                    np.empty((0, self.encoder.dim), np.float32))
        return Encoded(features, [str(error) for error in read
                                  if isinstance(error, UnreadableImage)])


def _try_to_read(path: AnyPath) -> Image.Image | UnreadableImage:
    try:
        return read_image(path)
    except UnreadableImage as error:
        return error


class FeatureFiles:
    """Feature files of a folder, of which those that are there already stay.

    Args:
        paths: All images.
        out: Folder of the files.
        size: Images of a file.
        dtype: Of its numbers.

    Attributes:
        missing: Number of files that were not there.
        images: Images of these.
        encoded: Of them, those whose features are in a file now.

    Example:
        >>> files = FeatureFiles([f'{number}.jpg' for number in range(5)], Path('none'), size=3)
        >>> files.batches()[1]
        [(3, '3.jpg'), (4, '4.jpg')]
    """

    def __init__(self, paths: Sequence[AnyPath], out: Path, size: int = 4096,
                 dtype: str = 'float16') -> None:
        self.paths, self.out, self.size, self.dtype = paths, out, size, dtype
        # By the place of the first image of a file: images that are to come, features that are here
        # by the place of the first of their own.
        self._left = {start: len(paths[start:start + size])
                      for start in range(0, len(paths), size) if not self._file(start).exists()}
        self._features: dict[int, dict[int, np.ndarray]] = {start: {} for start in self._left}
        self.missing, self.images, self.encoded = len(self._left), sum(self._left.values()), 0

    def batches(self) -> list[Sequence[NumberedImage]]:
        """Cut the images of the missing files into batches, none of which is of two files."""
        numbered = list(enumerate(self.paths))
        return [numbered[start:min(start + BATCH, first + self.size)]
                for first in self._left for start in range(first, min(
                    first + self.size, len(numbered)), BATCH)]

    def take(self, batch: Sequence[NumberedImage], features: np.ndarray) -> None:
        """Take a batch that is done, and write its file if that is whole now.

        Args:
            batch: One of `batches`, or a part of one.
            features: ``(n, dim)`` of those of its images that could be read.
        """
        self._features[self._file_of(batch)][batch[0][0]] = features
        self.pass_over(batch)

    def pass_over(self, batch: Sequence[NumberedImage]) -> None:
        """Wait no longer for images; write their file if that is whole now."""
        start = self._file_of(batch)
        self._left[start] -= len(batch)
        if not self._left[start]:
            self._write(start, self._features.pop(start))

    def _file_of(self, batch: Sequence[NumberedImage]) -> int:
        return batch[0][0] - batch[0][0] % self.size

    def _write(self, start: int, features: dict[int, np.ndarray]) -> None:
        whole = np.concatenate([features[place] for place in sorted(features)] or [np.empty(0)])
        if len(whole):
            np.save(buffer := BytesIO(), whole.astype(self.dtype), allow_pickle=False)
            write_durably(self._file(start), buffer.getvalue())
            self.encoded += len(whole)

    def _file(self, start: int) -> Path:
        return self.out / f'part_{start:09d}.npy'
