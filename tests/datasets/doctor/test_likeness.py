"""Perceptual hashes: copies are near, others far; the search finds what a slow one finds."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from mmtbps.datasets.doctor.likeness import MOST_BITS, find_alike, groups_of, hash_picture


@pytest.fixture(scope='module')
def pictures(micro_set):
    return [Image.open(path).convert('RGB') for path in sorted(micro_set.glob('imgs/*/*.jpg'))]


def saved_anew(image, quality):
    image.save(buffer := io.BytesIO(), 'JPEG', quality=quality)
    return Image.open(buffer).convert('RGB')


COPIES = dict(
    same=lambda image: image, jpeg=lambda image: saved_anew(image, 80),
    smaller=lambda image: image.resize((image.width // 2, image.height // 2)),
    larger=lambda image: image.resize((image.width * 3, image.height * 3)),
    brighter=lambda image: ImageEnhance.Brightness(image).enhance(1.15))


@pytest.mark.parametrize('copy', COPIES)
def test_copies_are_near(copy, pictures):
    bits = [int((hash_picture(COPIES[copy](image)) != hash_picture(image)).sum())
            for image in pictures]
    assert np.mean(np.array(bits) <= MOST_BITS) > .95, sorted(bits)[-6:]


def test_other_pictures_are_far(pictures):
    hashes = [hash_picture(image) for image in pictures]
    bits = [int((one != other).sum()) for place, one in enumerate(hashes)
            for other in hashes[:place]]
    assert min(bits) > MOST_BITS


def test_clothes_of_another_color_are_another_picture(pictures):
    for image in pictures[:20]:
        turned = Image.merge('RGB', image.split()[::-1])
        assert (hash_picture(turned) != hash_picture(image)).sum() > MOST_BITS / 2


@pytest.mark.parametrize('most_bits', [0, 3, 31])
def test_the_search_finds_all_pairs(most_bits):
    draw = np.random.default_rng(most_bits)
    hashes = {}
    for number in range(30):
        hashes[f'{number}'] = draw.random(320) < .5
        near = hashes[f'{number}'].copy()
        near[draw.choice(320, int(draw.integers(0, 40)), replace=False)] ^= True
        hashes[f'{number} again'] = near
    names = list(hashes)
    expected = [(one, other, int((hashes[one] != hashes[other]).sum()))
                for place, one in enumerate(names) for other in names[place + 1:]
                if (hashes[one] != hashes[other]).sum() <= most_bits]
    assert find_alike(hashes, most_bits) == expected and (expected or not most_bits)


def test_nothing_to_compare():
    assert find_alike({}) == [] == find_alike({'a': np.zeros(320, bool)})
    assert groups_of([]) == []
