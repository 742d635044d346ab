"""The image half of the shipped pipelines against plain Pillow and numpy."""

from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmpretrain.datasets.transforms import RandomErasing
from PIL import Image

CONFIGS = Path(__file__).resolve().parents[3] / 'configs' / 'tbps'


def image_steps(name):
    """The steps of a config's training pipeline that see the picture, and its size and padding."""
    pipeline = Config.fromfile(CONFIGS / f'{name}.py').train_dataloader.dataset.pipeline
    crop = next(step for step in pipeline if 'crop_size' in step)
    return pipeline[:pipeline.index(crop) + 1], tuple(crop.crop_size), crop.padding


@pytest.fixture
def photograph(tmp_path):
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (12, 5, 3), dtype=np.uint8)).resize((50, 121))
    smooth.save(tmp_path / 'person.png')
    return tmp_path / 'person.png'


@pytest.mark.parametrize('name', ['vit_bert_base_cuhk', 'vit_bert_base_drawn'])
def test_a_training_image_is_a_window_of_the_padded_bicubic_resize(name, photograph):
    steps, (height, width), padding = image_steps(name)
    resized = Image.open(photograph).resize((width, height), Image.BICUBIC)
    margin = (padding, padding)
    padded = np.pad(np.asarray(resized)[..., ::-1], (margin, margin, (0, 0)))
    windows, flips = set(), set()
    for seed in range(12):
        np.random.seed(seed)
        image = Compose(steps)(dict(img_path=str(photograph)))['img']
        assert image.shape == (height, width, 3)
        found = [(y, x, flipped) for flipped in (False, True)
                 for y in range(2 * padding + 1) for x in range(2 * padding + 1)
                 if np.array_equal(image, (padded[:, ::-1] if flipped else padded)[
                     y:y + height, x:x + width])]
        assert len(found) == 1, 'not exactly one window of the padded image'
        windows.add(found[0][:2])
        flips.add(found[0][2])
    assert len(windows) > 6 and flips == {False, True}


def test_random_erasing_of_mmpretrain_fits_in(photograph):
    steps, _, _ = image_steps('vit_bert_base_drawn')
    np.random.seed(0)
    plain = Compose(steps)(dict(img_path=str(photograph)))['img']
    np.random.seed(0)
    erased = Compose([*steps, dict(type=RandomErasing, erase_prob=1.0, mode='const',
                                   fill_color=(1, 2, 3))])(dict(img_path=str(photograph)))['img']
    changed = (erased != plain).any(-1)
    assert 0 < changed.mean() < 0.5
    assert (erased[changed] == (1, 2, 3)).all()
