"""Pictures of a drawn data set with what can be seen in them, pixel by pixel."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mmtbps.errors import MissingFile, Remedy

from ..attributes import COLORS, HAIR_COLORS
from ..build import MARKER, Size
from ..canvas import PART, PARTS
from ..person import Person, Scene
from ..render import render
from ..versions import VERSIONS
from .color_relations import name_color

__all__ = ['CLEAR', 'DrawnPicture', 'read_marker', 'read_pictures']

#: Share of the picture, in thousandths, from which on a part is clearly seen.
CLEAR: Mapping[str, float] = MappingProxyType(dict(
    upper=25., lower=20., shoes=4., bag=6., hat=3., scarf=2., hair=5., glasses=.3))
#: Parts whose colors are named by what is seen, with the colors that they are drawn in.
PALETTES = MappingProxyType(dict(upper=COLORS, lower=COLORS, shoes=COLORS, hair=HAIR_COLORS))


@dataclass(frozen=True)
class DrawnPicture:
    """A picture of the set, and its truth.

    Args:
        path: Below ``imgs``.
        person_id: Of the person.
        person, scene: Content.
        shares: Part of `mmtbps.drawing.canvas.PARTS` -> thousandths of the picture that it fills.
        size: Height and width in pixels.
        seen_colors: Part of `PALETTES` -> color by which its pixels would be named, whatever it was
            drawn with: exposure, haze and the camera's tint make a gray top of many a white one.
    """

    path: str
    person_id: int
    person: Person
    scene: Scene
    shares: Mapping[str, float]
    size: tuple[int, int]
    seen_colors: Mapping[str, str] = field(default_factory=dict)

    def shows(self, part: str) -> bool:
        """Tell whether a part of ``CLEAR`` is clearly seen."""
        return self.shares[part] >= CLEAR[part]


def read_marker(root: str | Path) -> dict:
    """Read what a finished drawn data set was drawn from.

    Raises:
        MissingFile: ``root`` is none.
    """
    marker = Path(root, MARKER)
    if not marker.is_file():
        raise MissingFile(f'{root} is no finished drawn data set; draw it',
                          Remedy('draw_dataset', dict(root=Path(root))))
    return json.loads(marker.read_text(encoding='utf-8'))


def read_pictures(root: str | Path, split: str = 'test') -> Iterator[DrawnPicture]:
    """Yield the pictures of a split, drawn again to see which pixels belong to what.

    Args:
        root: A finished drawn data set.
        split: ``train``, ``val`` or ``test``.

    Raises:
        MissingFile: ``root`` is no finished drawn data set.
    """
    marker = read_marker(root)
    size = Size(**{key: marker[key] for key in Size.__dataclass_fields__})
    pixels = size.height, size.width
    for person_id, of in size.people():
        if of != split:
            continue
        person, shots = VERSIONS[marker['version']].plan(marker['seed'], person_id, size.images)
        for shot in shots:
            image, parts = render(person, shot.scene, pixels, with_parts=True)
            counts = np.bincount(parts.ravel(), minlength=len(PARTS)) * 1000 / parts.size
            yield DrawnPicture(shot.file_path, person_id, person, shot.scene,
                               dict(zip(PARTS, counts.tolist(), strict=True)), pixels,
                               dict(_seen_colors(image, parts)))


def _seen_colors(image: np.ndarray, parts: np.ndarray) -> Iterator[tuple[str, str]]:
    for name, palette in PALETTES.items():
        pixels = image[parts == PART[name]]
        if len(pixels):
            yield name, name_color(pixels, palette)
