"""Coarse parts of a person, from the landmarks of a pose."""

import numpy as np

from ..color.colorspace import rgb_to_lab
from .base import PARTS

__all__ = ['parts_of_pose']

_EYES, _MOUTH, _EARS = (2, 5), (9, 10), (7, 8)
_SHOULDERS, _ELBOWS, _WRISTS, _HIPS = (11, 12), (13, 14), (15, 16), (23, 24)
_KNEES, _ANKLES, _HEELS, _TOES = (25, 26), (27, 28), (29, 30), (31, 32)
_FINGERS = (17, 19, 21), (18, 20, 22)
# Of the length of the trunk: how wide a limb is, and how far from one a garment may hang.
_ARM, _THIGH, _SHIN, _FOOT, _HAND, _HANGS = .12, .17, .12, .08, .16, .6
_WAIST = .3                       # of the trunk, from the hips up: shirt or trousers
_CHEST = .4                       # of the trunk, from the shoulders down: as wide as they are
_FACE, _HEAD, _NECK = 1.35, 1.9, .8    # of the way from eyes to mouth
_TIPS = .8                        # of the way from wrist to knuckles, beyond them
_SKIN = 16., 45.                  # difference of hue and lightness from the face's tone


def parts_of_pose(pixels: np.ndarray, person: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Label each pixel of a person by the limb that it is nearest to.

    That tells clothes from face, hair, hands and background, and no more: ``face`` is an oval
    around its landmarks, ``hair`` the rest of the head with a hat, ``skin`` what has the face's
    tone at hands and neck, ``shoes`` what is at the feet. ``upper`` is the trunk with arms, bare or
    not, ``lower`` the legs from the knees; in between, where shirts, coats and trousers meet, it
    is ``full``, which counts as a garment of both. Bags are taken for garments.

    Args:
        pixels: (H, W, 3) sRGB.
        person: bool (H, W).
        landmarks: MediaPipe's, (33, 3): x, y in pixels and a score.

    Returns:
        (H, W) uint8, indices of `PARTS`; all background if nobody has a score.
    """
    parts = np.zeros(person.shape, np.uint8)
    if not landmarks[:, 2].any() or not person.any():
        return parts
    rows, columns = np.nonzero(person)
    places = np.stack([columns, rows], -1) + .5
    body = _Body(landmarks[:, :2])
    labels = body.label(places)
    face, trunk = (labels == PARTS.index(name) for name in ('face', 'upper'))
    if face.any():
        bare = body.is_bare(places) & ~face
        bare[bare] = _is_skin(*(rgb_to_lab(pixels[rows[some], columns[some]])
                                for some in (bare, face, trunk)))
        labels[bare] = PARTS.index('skin')
    parts[rows, columns] = labels
    return parts


def _is_skin(tones: np.ndarray, face: np.ndarray, trunk: np.ndarray) -> np.ndarray:
    """Mark Lab tones that are near the face's, and nearer than to those of the clothes."""
    off = tones - np.median(face, axis=0)
    skin = (np.hypot(off[:, 1], off[:, 2]) < _SKIN[0]) & (np.abs(off[:, 0]) < _SKIN[1])
    if len(trunk):
        skin &= np.linalg.norm(off, axis=-1) < np.linalg.norm(tones - np.median(trunk, axis=0),
                                                              axis=-1)
    return skin


class _Body:
    """Limbs of one person, as segments with a width.

    Args:
        points: (33, 2).
    """

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        self.shoulders, self.hips = self.middle(_SHOULDERS), self.middle(_HIPS)
        self.trunk = max(np.linalg.norm(self.shoulders - self.hips),
                         np.linalg.norm(np.subtract(*points[list(_SHOULDERS)])), 1.)
        eyes, mouth = self.middle(_EYES), self.middle(_MOUTH)
        self.face = max(np.linalg.norm(eyes - mouth),
                        .4 * np.linalg.norm(np.subtract(*points[list(_EARS)])), 1.)
        self.center = (eyes + mouth) / 2
        self.chin, self.crown = mouth + .4 * (mouth - eyes), eyes + (eyes - mouth)

    def middle(self, pair: tuple[int, ...]) -> np.ndarray:
        """Compute the middle of some landmarks."""
        return self.points[list(pair)].mean(0)

    def label(self, places: np.ndarray) -> np.ndarray:
        """Label places (N, 2) by the nearest limb."""
        limbs = self._limbs()
        off = np.stack([_distance(places, start, end) - width
                        for _, start, end, width in limbs])
        nearest = off.argmin(0)
        labels = np.array([PARTS.index(name) for name, *_ in limbs], np.uint8)[nearest]
        labels[off.min(0) > _HANGS * self.trunk] = PARTS.index('other')
        on_face = np.linalg.norm(places - self.center, axis=-1) < _FACE * self.face
        labels[on_face & (labels == PARTS.index('hair'))] = PARTS.index('face')
        return labels

    def is_bare(self, places: np.ndarray) -> np.ndarray:
        """Mark the places (N, 2) at hands and neck."""
        bare = _distance(places, self.chin, self.shoulders) < _NECK * self.face
        for wrist, fingers in zip(_WRISTS, _FINGERS, strict=True):
            start, tip = self.points[wrist], self.middle(fingers)
            bare |= _distance(places, start, tip + _TIPS * (tip - start)) < _HAND * self.trunk
        return bare

    def _limbs(self) -> list[tuple[str, np.ndarray, np.ndarray, float]]:
        points, trunk = self.points, self.trunk
        waist = self.hips + _WAIST * (self.shoulders - self.hips)
        chest = self.shoulders + _CHEST * (self.hips - self.shoulders)
        width = max(.2 * trunk, .4 * np.linalg.norm(np.subtract(*points[list(_SHOULDERS)])))
        limbs = [('hair', self.chin, self.crown, _HEAD / 2 * self.face),
                 ('upper', chest, waist, width), ('full', waist, self.hips, width)]
        for side in range(2):
            joints = [points[pair[side]] for pair in (_SHOULDERS, _ELBOWS, _WRISTS, _HIPS, _KNEES,
                                                      _ANKLES, _HEELS, _TOES)]
            shoulder, elbow, wrist, hip, knee, ankle, heel, toe = joints
            limbs += [(name, start, end, width * trunk) for name, start, end, width in (
                ('upper', self.shoulders, shoulder, _ARM), ('upper', shoulder, elbow, _ARM),
                ('upper', elbow, wrist, _ARM), ('full', hip, knee, _THIGH),
                ('lower', knee, ankle, _SHIN), ('shoes', ankle, heel, _FOOT),
                ('shoes', heel, toe, _FOOT))]
        return limbs


def _distance(places: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Compute the distance of places (N, 2) to a segment."""
    along = end - start
    share = ((places - start) @ along / max(along @ along, 1e-9)).clip(0, 1)
    return np.linalg.norm(places - start - share[:, None] * along, axis=-1)
