"""Comparison of a folder, as transformers loads it, with the model that it was made of."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mmtbps.errors import MissingPackage

__all__ = ['LibraryEncoder', 'largest_difference']


class LibraryEncoder:
    """Encoder of a folder by the classes of transformers alone.

    Args:
        folder: with model, processor and tokenizer.
        padding: of texts.
        resized_positions: whether the positions are to be resized to the pictures.
    """

    def __init__(self, folder: Path, padding: str, resized_positions: bool) -> None:
        import transformers

        from mmtbps.models.dual_encoders.transformers_parts import quietly
        with quietly(str(folder)):
            self.network = transformers.AutoModel.from_pretrained(
                folder, trust_remote_code=False).float().eval()
        # Pillow, as it was trained; torchvision gives other pixels where it is installed.
        five = int(transformers.__version__.split('.')[0]) >= 5
        backend: dict[str, Any] = dict(backend='pil') if five else dict(use_fast=False)
        self.pixels = transformers.AutoImageProcessor.from_pretrained(
            folder, trust_remote_code=False, **backend)
        self.processor = transformers.AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        taken = inspect.signature(self.network.get_image_features).parameters
        if resized_positions and 'interpolate_pos_encoding' not in taken:
            raise MissingPackage('pictures that are no squares need transformers 4.46 or later, '
                                 f'installed is {transformers.__version__}')
        self.padding = padding
        self.options = dict(interpolate_pos_encoding=True) if resized_positions else {}

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode pictures into ``(N, D)`` unit features."""
        return _unit(self.network.get_image_features(**self.process_images(images),
                                                     **self.options))

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode sentences into ``(N, D)`` unit features."""
        return _unit(self.network.get_text_features(**self.process_texts(texts)))

    def process_images(self, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        """Turn pictures into the inputs of ``get_image_features``."""
        return dict(self.pixels(images=list(images), return_tensors='pt'))

    def process_texts(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Turn sentences into the inputs of ``get_text_features``."""
        return dict(self.processor(text=list(texts), return_tensors='pt', padding=self.padding,
                                   truncation=True))


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Compute the largest length of a difference of rows of two ``(N, D)`` arrays.

    Example:
        >>> largest_difference(np.array([[0., 0.], [1., 1.]]), np.array([[3., 4.], [1., 0.]]))
        5.0
    """
    return float(np.linalg.norm(ours.astype(np.float64) - theirs, axis=1).max())


def _unit(output: Any) -> np.ndarray:
    """Bring features to length 1; transformers 5 returns an object that holds them."""
    features: Tensor = output if torch.is_tensor(output) else output.pooler_output
    return F.normalize(features, dim=-1).numpy()
