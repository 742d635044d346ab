"""Mask of the person by MediaPipe's selfie segmentation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.registry import TASK_UTILS

from .base import BaseEvidenceProvider, EditEvidence
from .tflite_model import TFLiteModel

__all__ = ['MediaPipePersonProvider']

_SIDE = 256


@TASK_UTILS.register_module()
class MediaPipePersonProvider(BaseEvidenceProvider):
    """Provider of person masks: MediaPipe's selfie segmentation, 249 KB, Apache-2.0.

    It was trained on people who fill much of the picture, as they do in crops. All people in a
    picture make one mask.

    Args:
        model: ``selfie_segmentation.tflite`` of the npm package ``@mediapipe/selfie_segmentation``.
        threshold: Least probability of a pixel of the person.

    Raises:
        MissingFile: If there is no such file.
        MissingPackage: On looking, if the runtime is not installed.
        BadValue: On looking, if it is another model.
    """

    provides = ('person',)

    def __init__(self, model: str, threshold: float = .5) -> None:
        self.model = TFLiteModel(model, [(_SIDE, _SIDE, 1)])
        self.threshold = threshold

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Content of the model file and threshold."""
        return dict(type=type(self).__name__, sha256=self.model.sha256, threshold=self.threshold)

    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Mask the people of each picture."""
        return [EditEvidence(person=self._mask(image), sources=dict(person=self.model.file.name))
                for image in images]

    def _mask(self, image: Image.Image) -> np.ndarray:
        # Stretched, not padded: so the model was trained.
        square = image.convert('RGB').resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        [probability] = self.model(np.asarray(square) / 255)
        whole = Image.fromarray(probability[..., 0]).resize(image.size, Image.Resampling.BILINEAR)
        return np.asarray(whole) > self.threshold
