"""Mask of what changed, against a slow version pixel by pixel, and native sizes by trying all."""

import math

import numpy as np
import pytest
from PIL import Image

from mmtbps.generation.color.change import change_mask
from mmtbps.generation.color.colorspace import rgb_to_lab
from mmtbps.generation.diffusion.pixels import native_size


def _window(array, y, x, reach):
    """Values around a pixel; beyond the border the border's own."""
    rows = np.clip(np.arange(y - reach, y + reach + 1), 0, array.shape[0] - 1)
    columns = np.clip(np.arange(x - reach, x + reach + 1), 0, array.shape[1] - 1)
    return array[rows][:, columns].reshape(-1, *array.shape[2:])


def _slow_mask(before, after, tolerance):
    before, after = (np.asarray(image, float) for image in (before, after))
    height, width = before.shape[:2]
    changed = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            one, other = (np.round(_window(image, y, x, 1).mean(0)) for image in (before, after))
            changed[y, x] = np.linalg.norm(rgb_to_lab(one) - rgb_to_lab(other)) > tolerance
    reach = max(1, width // 64)
    return np.array([[_window(changed, y, x, reach).mean() > .5 for x in range(width)]
                     for y in range(height)])


@pytest.mark.parametrize('size', [(20, 40), (140, 24)])
def test_it_is_the_majority_of_smoothed_differences(size):
    rng = np.random.default_rng(0)
    before = Image.fromarray(rng.integers(90, 110, (*size[::-1], 3), np.uint8))
    after = before.copy()
    after.paste((160, 60, 60), (3, 5, 12, 17))
    after.paste((20, 60, 160), (size[0] - 1, 0, size[0], 1))        # a speck in the corner
    mask, slow = change_mask(before, after, 18.), _slow_mask(before, after, 18.)
    assert mask.dtype == bool and mask.any() and not mask[0, -1]
    assert (mask != slow).mean() < .002


def test_noise_and_specks_count_for_nothing():
    rng = np.random.default_rng(1)
    before = rng.integers(0, 256, (80, 32, 3), np.uint8)
    noisy = np.clip(before + rng.normal(0, 6, before.shape), 0, 255).astype(np.uint8)
    noisy[10, 10] = 255 - before[10, 10]
    assert not change_mask(Image.fromarray(before), Image.fromarray(noisy)).any()


def test_images_of_two_sizes_have_no_difference():
    with pytest.raises(ValueError, match=r'images of one size, got \(8, 9\) and \(9, 8\)'):
        change_mask(Image.new('RGB', (8, 9)), Image.new('RGB', (9, 8)))


@pytest.mark.parametrize('shape, pixels, multiple, expected', [
    ((640, 256), 1024 * 1024, 16, (1600, 640)), ((640, 256), 640 * 256, 8, (640, 256)),
    ((256, 640), 640 * 256, 32, (256, 640)), ((384, 128), 512 * 512, 64, (960, 320)),
    ((512, 512), 100, 16, (16, 16))])
def test_a_native_size_keeps_the_aspect(shape, pixels, multiple, expected):
    assert native_size(shape, pixels, multiple) == expected


def test_a_native_size_is_the_best_of_all():
    rng = np.random.default_rng(2)
    for _ in range(40):
        shape = tuple(int(side) for side in rng.integers(40, 900, 2))
        pixels, multiple = int(rng.integers(20_000, 900_000)), int(rng.choice([4, 8, 16]))
        width = (pixels * shape[1] / shape[0]) ** .5

        def misfit(size, shape=shape, pixels=pixels):
            return (8 * abs(math.log(size[0] / size[1]) - math.log(shape[0] / shape[1]))
                    + abs(math.log(size[0] * size[1] / pixels)))

        near = [multiple * i for i in range(1, 400) if abs(multiple * i / width - 1) < .2]
        best = min((misfit((multiple * j, w)) for w in near for j in range(1, 400)), default=9.)
        assert misfit(native_size(shape, pixels, multiple)) <= best + 1e-9
