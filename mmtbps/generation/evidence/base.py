"""Evidence of one picture: where the person, the garments and the joints are."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue

__all__ = ['BaseEvidenceProvider', 'EditEvidence', 'KEYPOINTS', 'PARTS', 'merge_evidence']

#: Names of the labels of `EditEvidence.parts`, in the order of their numbers.
PARTS = ('background', 'hair', 'face', 'skin', 'hat', 'upper', 'lower', 'full', 'shoes', 'bag',
         'other')
#: Names of the rows of `EditEvidence.keypoints`: those of COCO, in its order.
KEYPOINTS = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder',
             'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist',
             'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle')
#: Parts that may be the garment of a region: a dress is worn above and below.
_GARMENTS = {'upper': ('upper', 'full'), 'lower': ('lower', 'full'),
             'full': ('full', 'upper', 'lower')}


@dataclass(frozen=True, slots=True, eq=False)
class EditEvidence:
    """Findings of models that looked at a picture; ``None`` for what none of them was asked.

    Who was asked and found nobody says so: nothing is masked, scores are 0, and the box is all 0.

    Args:
        person: bool (H, W), true on the person.
        parts: uint8 (H, W), each pixel's index in `PARTS`.
        keypoints: float (17, 3): x and y in pixels and a score in [0, 1], rows as `KEYPOINTS`.
        box: Left, top, right and bottom of the person, in pixels.
        sources: Name of a field above -> the model it comes from.

    Raises:
        ValueError: If an array has another shape or type, a label has no name, or a box no area.

    >>> labels = np.zeros((4, 2), np.uint8)
    >>> labels[1:3] = PARTS.index('upper')
    >>> EditEvidence(parts=labels).garment('upper').sum(), EditEvidence().garment('upper')
    (np.int64(4), None)
    """

    person: np.ndarray | None = None
    parts: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    box: tuple[float, float, float, float] | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.person is not None and (self.person.dtype != bool or self.person.ndim != 2):
            raise ValueError(f'person must be bool (H, W), got {self.person.dtype} '
                             f'{self.person.shape}')
        if self.parts is not None and (
                self.parts.dtype != np.uint8 or self.parts.ndim != 2
                or self.parts.max(initial=0) >= len(PARTS)):
            raise ValueError(f'parts must be uint8 (H, W) below {len(PARTS)}, got '
                             f'{self.parts.dtype} {self.parts.shape}')
        if self.keypoints is not None and (self.keypoints.shape != (len(KEYPOINTS), 3)
                                           or self.keypoints.dtype.kind not in 'fiu'):
            raise ValueError(f'keypoints must be numbers ({len(KEYPOINTS)}, 3), got '
                             f'{self.keypoints.dtype} {self.keypoints.shape}')
        if self.box is not None and any(self.box) and not (
                self.box[0] < self.box[2] and self.box[1] < self.box[3]  # also false for NaN
                and all(map(math.isfinite, self.box))):
            raise ValueError(f'box must be left < right and top < bottom, got {self.box}')

    def fits(self, size: tuple[int, int]) -> bool:
        """Tell whether the masks are those of a picture of this width and height.

        >>> EditEvidence(person=np.ones((4, 2), bool)).fits((2, 4)), EditEvidence().fits((2, 4))
        (True, True)
        """
        return all(mask is None or mask.shape == size[::-1] for mask in (self.person, self.parts))

    def part(self, *names: str) -> np.ndarray | None:
        """Mask the pixels of the named parts, bool (H, W); ``None`` if parts are not known."""
        if self.parts is None:
            return None
        return np.isin(self.parts, [PARTS.index(name) for name in names])

    def garment(self, region: str) -> np.ndarray | None:
        """Mask the garments of a region (``'upper'``, ``'lower'`` or ``'full'``), bool (H, W).

        Raises:
            BadValue: If there is no such region.
        """
        if region not in _GARMENTS:
            raise BadValue(f'no garment of region {region!r}; there are {", ".join(_GARMENTS)}')
        return self.part(*_GARMENTS[region])


class BaseEvidenceProvider(ABC):
    """Model that looks at pictures and says something of the person in them."""

    #: Fields of `EditEvidence` that it fills.
    provides: tuple[str, ...]

    @abstractmethod
    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Find what each RGB picture shows; one piece of evidence a picture, in order."""

    @property
    @abstractmethod
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the evidence (JSON types), for the manifest's digest."""


def merge_evidence(pieces: Iterable[EditEvidence]) -> EditEvidence:
    """Join what several providers found; of two that fill one field, the later one counts.

    >>> merged = merge_evidence([EditEvidence(person=np.ones((2, 2), bool)),
    ...                          EditEvidence(box=(0, 0, 2, 2), sources=dict(box='detector'))])
    >>> merged.person.all(), merged.box, merged.sources
    (np.True_, (0, 0, 2, 2), {'box': 'detector'})
    """
    found: dict[str, Any] = dict(sources={})
    for piece in pieces:
        found['sources'].update(piece.sources)
        found.update({f.name: value for f in fields(piece) if f.name != 'sources'
                      and (value := getattr(piece, f.name)) is not None})
    return EditEvidence(**found)
