"""Joints, mask and coarse parts of the person by MediaPipe's pose models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.registry import TASK_UTILS

from .base import KEYPOINTS, BaseEvidenceProvider, EditEvidence
from .pose_parts import parts_of_pose
from .pose_region import PoseRegion, read_detection, to_square
from .tflite_model import TFLiteModel

__all__ = ['COCO_LANDMARKS', 'MediaPipePoseProvider']

#: Landmark of MediaPipe's 33 for each of `KEYPOINTS`.
COCO_LANDMARKS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_LANDMARKS, _HIPS, _REACH = 33, 33, 34   # two more say where to look next
_DETECT, _SIDE = 224, 256
_PARTS_VERSION = 1   # to be raised when the same landmarks make other parts


@TASK_UTILS.register_module()
class MediaPipePoseProvider(BaseEvidenceProvider):
    """Provider of joints, of a person mask and of coarse parts by MediaPipe's pose, Apache-2.0.

    As in MediaPipe a detector finds the one person whom it sees most clearly, and the other model
    their landmarks and mask. Parts are what lies nearest to which landmarks: see `parts_of_pose`
    for what they can tell and what they cannot.

    Args:
        detector: ``pose_solution_packed_assets.data`` of the npm package ``@mediapipe/pose``, which
            is the file ``pose_detection.tflite``.
        landmarks: ``pose_landmark_lite.tflite`` of that package, or ``full`` or ``heavy``.
        person: Provider of the mask that the parts fill, or its config; the pose's own by default.
        threshold: Least probability of a person.

    Raises:
        MissingFile: If there is no such file.
        MissingPackage: On looking, if the runtime is not installed.
        BadValue: On looking, if it is another model.
    """

    provides = ('person', 'parts', 'keypoints')

    def __init__(self, detector: str, landmarks: str,
                 person: BaseEvidenceProvider | dict | None = None, threshold: float = .5) -> None:
        self.detector = TFLiteModel(detector, [(2254, 12), (2254, 1)])
        self.landmarks = TFLiteModel(landmarks, [(195,), (1,), (_SIDE, _SIDE, 1)])
        self.person = TASK_UTILS.build(person) if isinstance(person, dict) else person
        self.threshold = threshold

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Content of the model files, mask, threshold and version of the parts."""
        return dict(type=type(self).__name__, detector=self.detector.sha256,
                    landmarks=self.landmarks.sha256, threshold=self.threshold,
                    person=self.person and self.person.digest_fields, parts=_PARTS_VERSION)

    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Find joints, mask and parts; where nobody is found scores are 0 and nothing is masked."""
        masks = [None] * len(images) if self.person is None else self.person.look(images)
        return [self._look(image.convert('RGB'), mask and mask.person)
                for image, mask in zip(images, masks, strict=True)]

    def find(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Find the landmarks and the mask of the person in an RGB picture.

        Returns:
            (33, 3): x and y in pixels and a score, 0 for what is outside the picture or if nobody
            is there; and (H, W) bool.
        """
        square, region = to_square(image, _DETECT)
        sure, points = read_detection(*self.detector(np.asarray(square) / 127.5 - 1), _DETECT)
        hips, reach = region.to_picture(points, _DETECT)
        region = PoseRegion.around(hips, reach)
        raw, [present], mask = self.landmarks(np.asarray(region.cut(image, _SIDE)) / 255)
        raw = raw.reshape(-1, 5)[:_LANDMARKS]
        places = region.to_picture(raw[:, :2], _SIDE)
        seen = (_probability(raw[:, 3:]).min(-1)
                * ((places >= 0) & (places < image.size)).all(-1))
        if sure < self.threshold or present < self.threshold:
            return np.column_stack([places, 0 * seen]), np.zeros(image.size[::-1], bool)
        person = region.spread(_probability(mask[..., 0]), image.size) > .5
        return np.column_stack([places, seen]), person

    def _look(self, image: Image.Image, person: np.ndarray | None) -> EditEvidence:
        landmarks, own = self.find(image)
        person = own if person is None else person
        name = self.landmarks.file.name
        where = name if self.person is None else type(self.person).__name__
        return EditEvidence(
            person=person, parts=parts_of_pose(np.asarray(image), person, landmarks),
            keypoints=landmarks[list(COCO_LANDMARKS)].reshape(len(KEYPOINTS), 3),
            sources=dict(person=where, parts=name, keypoints=name))


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.clip(-80, 80)))
