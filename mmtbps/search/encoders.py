"""What turns images and sentences into features, whichever runtime computes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

__all__ = ['Encoder', 'load_encoder']


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
            anything else is for torch, see `mmtbps.search.torch_encoder.TorchEncoder`.
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
