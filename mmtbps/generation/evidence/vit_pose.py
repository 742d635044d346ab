"""Joints of the person by ViTPose."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from .base import KEYPOINTS, BaseEvidenceProvider, EditEvidence
from .person_box import NOBODY
from .transformers_model import TransformersModel

__all__ = ['ViTPoseProvider']


@TASK_UTILS.register_module()
class ViTPoseProvider(BaseEvidenceProvider):
    """Provider of joints by ViTPose, in the box of the person.

    Args:
        pretrained: See `TransformersModel`; a ViTPose of COCO's 17 joints.
        box: Provider of the box in which to look, or its config; its box becomes evidence, too.
            By default the whole picture, as is right for crops of one person.
        device: See `TransformersModel`.

    Raises:
        MissingFile: If ``pretrained`` is a path to no folder; on looking, if it is not loaded.
        MissingPackage: On looking, without SciPy.
        BadValue: On looking, if it is no ViTPose or one with other joints.
    """

    def __init__(self, pretrained: str, box: BaseEvidenceProvider | dict | None = None,
                 device: str | None = None) -> None:
        self.model = TransformersModel(pretrained, ['VitPoseForPoseEstimation'], device)
        self.box = TASK_UTILS.build(box) if isinstance(box, dict) else box
        self.provides = ('keypoints',) if self.box is None else ('keypoints', 'box')

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Model and provider of the box."""
        return dict(type=type(self).__name__, model=self.model.digest,
                    box=self.box and self.box.digest_fields)

    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Find the joints of each picture; where nobody is found scores are 0."""
        found = [EditEvidence()] * len(images) if self.box is None else self.box.look(images)
        sources = dict(keypoints=self.model.pretrained)
        return [EditEvidence(
            box=piece.box, sources={**piece.sources, **sources},
            keypoints=self._joints(image.convert('RGB'), piece.box or (0, 0, *image.size)))
            for image, piece in zip(images, found, strict=True)]

    def _joints(self, image: Image.Image, box: Sequence[float]) -> np.ndarray:
        if tuple(box) == NOBODY:
            return np.zeros((len(KEYPOINTS), 3))
        left, top, right, bottom = box
        boxes = [[[left, top, right - left, bottom - top]]]
        config = self.model.network.config
        inputs = self.model.processor(images=image, boxes=boxes, return_tensors='pt')
        if getattr(config.backbone_config, 'num_experts', 1) > 1:  # ViTPose++: COCO is the first
            inputs['dataset_index'] = torch.zeros(1, dtype=torch.long)
        with torch.inference_mode():
            outputs = self.model.network(**inputs.to(self.model.device))
        if outputs.heatmaps.shape[1] != len(KEYPOINTS):
            raise BadValue(f'{self.model.pretrained}: finds {outputs.heatmaps.shape[1]} joints, '
                           f'not the {len(KEYPOINTS)} of COCO')
        [[person]] = self.model.processor.post_process_pose_estimation(outputs, boxes=boxes)
        scores = person['scores'].clamp(0, 1)
        return torch.column_stack([person['keypoints'], scores]).double().numpy()
