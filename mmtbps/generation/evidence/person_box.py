"""Box of the person by object detectors of transformers."""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from .base import BaseEvidenceProvider, EditEvidence
from .transformers_model import TransformersModel

__all__ = ['NOBODY', 'PersonBoxProvider', 'main_box']

#: Box of a picture in which nobody was found.
NOBODY = (0., 0., 0., 0.)
_PERSON = 'person'


@TASK_UTILS.register_module()
class PersonBoxProvider(BaseEvidenceProvider):
    """Provider of the box of the person whom a picture shows, by RT-DETR or another detector.

    Args:
        pretrained: See `TransformersModel`; a detector that knows people.
        threshold: Least score of a detection.
        device: See `TransformersModel`.

    Raises:
        MissingFile: If ``pretrained`` is a path to no folder; on looking, if it is not loaded.
        BadValue: On looking, if it is no detector, or one that knows no people.
    """

    provides = ('box',)

    def __init__(self, pretrained: str, threshold: float = .5, device: str | None = None) -> None:
        self.model = TransformersModel(pretrained, ['AutoModelForObjectDetection'], device)
        self.threshold = threshold

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Model and threshold."""
        return dict(type=type(self).__name__, model=self.model.digest, threshold=self.threshold)

    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Find the main person of each picture."""
        people = self._people
        inputs = self.model.processor(images=[image.convert('RGB') for image in images],
                                      return_tensors='pt').to(self.model.device)
        with torch.inference_mode():
            outputs = self.model.network(**inputs)
        answers = self.model.processor.post_process_object_detection(
            outputs, threshold=self.threshold,
            target_sizes=[(image.height, image.width) for image in images])
        sources = dict(box=self.model.pretrained)
        return [EditEvidence(box=main_box(
            (box for box, label in zip(answer['boxes'].tolist(), answer['labels'].tolist(),
                                       strict=True) if label in people), image.size),
            sources=sources) for answer, image in zip(answers, images, strict=True)]

    @cached_property
    def _people(self) -> set[int]:
        names = self.model.network.config.id2label
        people = {int(number) for number, name in names.items() if name.lower() == _PERSON}
        if not people:
            raise BadValue(f'{self.model.pretrained}: none of its {len(names)} labels is '
                           f'{_PERSON!r}')
        return people


def main_box(boxes: Iterable[Sequence[float]], size: tuple[int, int]
             ) -> tuple[float, float, float, float]:
    """Choose the largest box, where one in the middle counts more than one at a border.

    Args:
        boxes: Left, top, right and bottom in pixels.
        size: Width and height of the picture, at which boxes are cut off.

    Returns:
        The box; `NOBODY` if there is none.

    >>> main_box([(0, 0, 30, 90), (35, 5, 65, 90), (-5, 0, 8, 100)], (100, 100))
    (35.0, 5.0, 65.0, 90.0)
    """
    width, height = size

    def weight(box: Sequence[float]) -> float:
        left, top, right, bottom = box
        off = math.hypot((left + right) / width - 1, (top + bottom) / height - 1)
        return (right - left) * (bottom - top) * (1 - off / 2)

    inside = [(max(float(left), 0.), max(float(top), 0.), min(float(right), float(width)),
               min(float(bottom), float(height))) for left, top, right, bottom in boxes]
    inside = [box for box in inside if box[0] < box[2] and box[1] < box[3]]
    return max(inside, key=weight, default=NOBODY)
