"""Square regions in which MediaPipe's models look for a body, and how they are found."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ['PoseRegion', 'detection_anchors', 'read_detection', 'to_square']

_GRIDS = (28, 2), (14, 2), (7, 6)   # cells a side, anchors a cell
_MARGIN = 1.25
_SURE = 100.                        # logits beyond it are cut off


@dataclass(frozen=True, slots=True)
class PoseRegion:
    """Square of a picture, turned so that the body stands upright in it.

    Args:
        center: x and y in pixels.
        side: In pixels.
        angle: Of the body's axis to the picture's, in radians, clockwise.
    """

    center: tuple[float, float]
    side: float
    angle: float = 0.

    @classmethod
    def around(cls, hips: np.ndarray, reach: np.ndarray) -> 'PoseRegion':
        """Return the region of a body from the middle of its hips and a point of its circle.

        The circle holds the whole body; the point lies on it straight above the head.

        >>> PoseRegion.around(np.array([50., 60.]), np.array([50., 20.]))
        PoseRegion(center=(50.0, 60.0), side=100.0, angle=0.0)
        """
        across, up = float(reach[0] - hips[0]), float(hips[1] - reach[1])
        return cls((float(hips[0]), float(hips[1])), 2 * _MARGIN * float(np.hypot(across, up)),
                   float(np.arctan2(across, up)))

    def matrix(self, size: int) -> np.ndarray:
        """Return the (2, 3) matrix from pixels of the region, ``size`` a side, to the picture's."""
        scale = self.side / size
        cos, sin = scale * np.cos(self.angle), scale * np.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([turn, self.center - turn @ (size / 2, size / 2)])

    def cut(self, image: Image.Image, size: int) -> Image.Image:
        """Cut the region out, upright; black where it leaves the picture."""
        return image.transform((size, size), Image.Transform.AFFINE, self.matrix(size).ravel(),
                               Image.Resampling.BILINEAR)

    def to_picture(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return points (N, 2) of the region in pixels of the picture."""
        matrix = self.matrix(size)
        return points @ matrix[:, :2].T + matrix[:, 2]

    def spread(self, values: np.ndarray, picture: tuple[int, int]) -> np.ndarray:
        """Return values of the region, square, at the pixels of the picture; 0 outside."""
        inverse = np.linalg.inv(np.vstack([self.matrix(len(values)), [0, 0, 1]]))[:2]
        return np.asarray(Image.fromarray(values).transform(
            picture, Image.Transform.AFFINE, inverse.ravel(), Image.Resampling.BILINEAR))


def to_square(image: Image.Image, size: int) -> tuple[Image.Image, PoseRegion]:
    """Pad a picture with black to a square and resize it; the region says what it shows."""
    region = PoseRegion((image.width / 2, image.height / 2), max(image.size))
    square = Image.new('RGB', (max(image.size),) * 2)
    square.paste(image, tuple((square.width - side) // 2 for side in image.size))
    return square.resize((size, size), Image.Resampling.BILINEAR), region


def detection_anchors() -> np.ndarray:
    """Compute the middles of the detector's anchors, (2254, 2): x and y, shares of the input.

    >>> detection_anchors()[[0, 1, -1]].round(3).tolist()
    [[0.018, 0.018], [0.018, 0.018], [0.929, 0.929]]
    """
    grids = []
    for cells, count in _GRIDS:
        places = (np.arange(cells) + .5) / cells
        y, x = np.meshgrid(places, places, indexing='ij')
        grids.append(np.stack([x.ravel(), y.ravel()], -1).repeat(count, axis=0))
    return np.concatenate(grids)


def read_detection(boxes: np.ndarray, logits: np.ndarray, size: int
                   ) -> tuple[float, np.ndarray]:
    """Read the surest detection.

    Args:
        boxes: (2254, 12): a box around the face, then four points, relative to the anchor.
        logits: (2254, 1).
        size: Of the detector's input.

    Returns:
        Its probability and (2, 2): the middle of the hips and a point of the body's circle, in
        pixels of the input.
    """
    best = int(logits[:, 0].argmax())
    points = boxes[best].reshape(6, 2)[2:4] + detection_anchors()[best] * size
    return float(1 / (1 + np.exp(-logits[best, 0].clip(-_SURE, _SURE)))), points
