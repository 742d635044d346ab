"""What turns images and sentences into features, whichever runtime computes them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

__all__ = ['Encoder', 'Fingerprint', 'check_images', 'check_texts', 'load_encoder']


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
    """Images and sentences to unit features of one space.

    Attributes:
        dim: Length of a feature.
        fingerprint: Of all that the features depend on, in JSON types: ``model`` (SHA-256 of the
            weights), ``pipeline`` (of the preprocessing) and ``dim``. A gallery keeps it and
            refuses features of another.
    """

    dim: int
    fingerprint: dict[str, Any]

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB images of any size to ``(N, dim)`` float32 unit features."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Sentences to ``(N, dim)`` float32 unit features.

        Raises:
            ValueError: If one of them is empty.
        """


def load_encoder(model: Any, weights: str | None = None, device: str | None = None) -> Encoder:
    """The encoder that fits what ``model`` names.

    Args:
        model: A folder made by ``tools/export.py`` (it holds ``export.json``) for ONNX Runtime;
            anything else is for torch, see `mmtbps.search.encoders.torch_encoder`.
        weights: Checkpoint of a torch model; an exported folder brings its own.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default the best there is.

    Raises:
        ValueError: If weights or a device are given for an exported folder, which takes neither.
    """
    if isinstance(model, (str, Path)) and (Path(model) / 'export.json').is_file():
        if weights is not None or device not in (None, 'cpu'):
            raise ValueError(f'{model} is an exported model: it brings its weights and runs on '
                             'the CPU; leave weights and device out')
        from .onnx_encoder import OnnxEncoder
        return OnnxEncoder(model)
    from .torch_encoder import TorchEncoder
    return TorchEncoder(model, weights=weights, device=device)


def check_images(images: Sequence[Any]) -> None:
    """Refuse what is no picture.

    Raises:
        TypeError: If one is no PIL image.
    """
    for image in images:
        if not isinstance(image, Image.Image):
            raise TypeError(f'an image must be a PIL image, found {type(image).__name__}')


def check_texts(texts: Sequence[Any]) -> None:
    """Refuse what no person can be searched by.

    Raises:
        TypeError: If one is no string.
        ValueError: If one is empty.
    """
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f'a text must be a string, found {text!r}')
        if not text.strip():
            raise ValueError('a text to search by is empty; describe the person')
