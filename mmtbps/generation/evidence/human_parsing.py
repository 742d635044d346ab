"""Parts of a person by human parsing with models of transformers."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmtbps.registry import TASK_UTILS

from .base import PARTS, BaseEvidenceProvider, EditEvidence
from .part_names import part_table
from .transformers_model import TransformersModel

__all__ = ['HumanParsingProvider']

_CLASSES = 'AutoModelForSemanticSegmentation', 'AutoModelForUniversalSegmentation'


@TASK_UTILS.register_module()
class HumanParsingProvider(BaseEvidenceProvider):
    """Provider of parts, and of the person they make, by a segmentation model of transformers.

    SegFormer and its kin (`AutoModelForSemanticSegmentation`), Mask2Former and its kin
    (`AutoModelForUniversalSegmentation`), trained on labels such as those of ATR, LIP or CIHP.
    Labels become parts by their names, whatever their numbers.

    Args:
        pretrained: See `TransformersModel`.
        labels: Label -> part, for names that do not tell; see `part_table`.
        device: See `TransformersModel`.

    Raises:
        MissingFile: If ``pretrained`` is a path to no folder; on looking, if it is not loaded.
        BadValue: On looking, if it is a model of another kind, or labels cannot be mapped.
    """

    provides = ('person', 'parts')

    def __init__(self, pretrained: str, labels: Mapping[str, str] | None = None,
                 device: str | None = None) -> None:
        self.model = TransformersModel(pretrained, _CLASSES, device)
        self.labels = dict(labels or {})

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Model and the part of each of its labels."""
        return dict(type=type(self).__name__, model=self.model.digest, parts=self._table.tolist())

    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Label the pixels of each picture."""
        return [self._look(image.convert('RGB')) for image in images]

    @cached_property
    def _table(self) -> np.ndarray:
        return part_table(self.model.network.config.id2label, self.labels)

    def _look(self, image: Image.Image) -> EditEvidence:
        # One by one: Mask2Former pads a batch to its largest picture, and forgets it afterwards.
        inputs = self.model.processor(images=image, return_tensors='pt').to(self.model.device)
        with torch.inference_mode():
            outputs = self.model.network(**inputs)
        [labels] = self.model.processor.post_process_semantic_segmentation(
            outputs, target_sizes=[(image.height, image.width)])
        parts = self._table[labels.cpu().numpy()]
        return EditEvidence(person=parts != PARTS.index('background'), parts=parts,
                            sources=dict.fromkeys(self.provides, self.model.pretrained))
