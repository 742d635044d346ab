"""Real photographs, which ship inside installed packages."""

from pathlib import Path

import pytest
from PIL import Image


def photographs() -> dict[str, Path]:
    """Files by name; the test is skipped where a package is missing.

    The temple and the flower are of scikit-learn, under CC BY 2.0; the portrait, of Grace Hopper,
    is matplotlib's, a picture of the United States Navy in the public domain.
    """
    pytest.importorskip('matplotlib')
    images = Path(pytest.importorskip('sklearn').__file__).parent / 'datasets/images'
    from matplotlib import cbook
    return dict(portrait=Path(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False)),
                temple=images / 'china.jpg', flower=images / 'flower.jpg')


def save_photographs(folder: Path) -> list[Path]:
    """Save them in a new folder."""
    folder.mkdir()
    for name, path in photographs().items():
        Image.open(path).save(folder / f'{name}.jpg')
    return sorted(folder.iterdir())
