"""Photographs for a benchmark: crops, in the shape of people, of those that ship in packages."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mmtbps.drawing import draw_dataset
from mmtbps.drawing.build import Size

# Photographs by the package that brings them: a temple and a flower, a portrait.
SHIPPED = {'sklearn': ('datasets/images/china.jpg', 'datasets/images/flower.jpg'),
           'matplotlib': ('mpl-data/sample_data/grace_hopper.jpg', )}
ASPECT = 2.5  # height of a person by the width
HEIGHTS = (160, 420)  # of a crop in pixels, as in CUHK-PEDES


def find_photographs() -> list[Path]:
    """Find the photographs of the installed packages; no package is imported."""
    found = []
    for package, names in SHIPPED.items():
        spec = find_spec(package)
        if spec is not None and spec.origin:
            found += [Path(spec.origin).parent / name for name in names]
    return [path for path in found if path.is_file()]


def draw_people(folder: Path) -> list[Path]:
    """Draw people in the place of photographs."""
    root = draw_dataset(folder, Size(train=8, val=1, test=1), image_size=(512, 208),
                        progress=False)
    return sorted((root / 'imgs').rglob('*.jpg'))


def write_photographs(folder: Path, count: int, sources: list[Path], seed: int = 0) -> list[Path]:
    """Write ``count`` different JPEG files: random crops, every second one turned left to right.

    Args:
        folder: a new folder.
        count: number of files.
        sources: photographs that are cropped in turn.
        seed: of the crops.
    """
    folder.mkdir(parents=True)
    pictures = [Image.open(path).convert('RGB') for path in sources]
    draw, written = np.random.default_rng(seed), []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        largest = min(HEIGHTS[1], picture.height, int(picture.width * ASPECT))
        height = int(draw.integers(min(HEIGHTS[0], largest), largest + 1))
        width = round(height / ASPECT)
        left, top = (int(draw.integers(0, room + 1))
                     for room in (picture.width - width, picture.height - height))
        crop = picture.crop((left, top, left + width, top + height))
        written.append(folder / f'{number:05}.jpg')
        (ImageOps.mirror(crop) if number % 2 else crop).save(written[-1], quality=90)
    return written
