"""Interface of an encoder, whichever runtime computes the features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.lexicon.query_text import is_blank

__all__ = ['Encoder', 'Fingerprint', 'check_images', 'check_texts', 'encode_in_batches']


class Fingerprint(dict):
    """The fingerprint of a model, as JSON types, that knows the model's former ones.

    Args:
        values: ``version``, ``model``, ``pipeline`` and ``dim``.
        former: Computes the fingerprints that earlier versions gave the same model. It is called
            only where a gallery has another fingerprint than this.
    """

    def __init__(self, values: Mapping[str, Any],
                 former: Callable[[], Sequence[Mapping[str, Any]]] = tuple) -> None:
        super().__init__(values)
        self.former = former


@runtime_checkable
class Encoder(Protocol):
    """Encoder of images and sentences into unit features of one space.

    Attributes:
        dim: Length of a feature.
        fingerprint: Of all that the features depend on, in JSON types: ``model`` (SHA-256 of the
            weights), ``pipeline`` (of the preprocessing) and ``dim``. A gallery keeps it and
            refuses features of another.
    """

    dim: int
    fingerprint: dict[str, Any]

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode RGB images of any size into ``(N, dim)`` float32 unit features."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode sentences into ``(N, dim)`` float32 unit features.

        Raises:
            ValueError: One of them is empty.
        """


def encode_in_batches(items: Sequence, encode: Callable[[Sequence], np.ndarray], batch_size: int,
                      dim: int) -> np.ndarray:
    """Encode items a batch at a time and join their features.

    Args:
        items: N images or texts; N may be 0.
        encode: Gives ``(n, dim)`` float32 features of n items.
        batch_size: Most items at a time.
        dim: Length of a feature.

    Returns:
        ``(N, dim)`` float32, in the order of the items.

    Example:
        >>> encode_in_batches([1, 2, 3], lambda batch: np.float32([[i, -i] for i in batch]), 2, 2)
        array([[ 1., -1.],
               [ 2., -2.],
               [ 3., -3.]], dtype=float32)
    """
    return np.concatenate([np.empty((0, dim), np.float32), *(
        encode(items[start:start + batch_size]) for start in range(0, len(items), batch_size))])


def check_images(images: Sequence[Any]) -> None:
    """Check that images are PIL images.

    Raises:
        TypeError: One is no PIL image.

    Example:
        >>> check_images([Image.new('RGB', (4, 8))])
    """
    for image in images:
        if not isinstance(image, Image.Image):
            raise TypeError(f'an image must be a PIL image, got {type(image).__name__}')


def check_texts(texts: Sequence[Any]) -> None:
    """Check that texts are strings in which something can be seen.

    Raises:
        TypeError: One is no string.
        BadValue: One is empty, or holds half a character as bytes of another encoding do.

    Example:
        >>> check_texts(['a man in red'])
    """
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f'a text must be a string, got {text!r}')
        if any('\ud800' <= sign <= '\udfff' for sign in text):
            raise BadValue(f'a text to search by is no valid Unicode: {text[:60]!r}')
        if is_blank(text):
            raise BadValue('a text to search by is empty; describe the person')
