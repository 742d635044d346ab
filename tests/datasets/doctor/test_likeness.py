"""Perceptual hashes: copies are near, others far; the search finds what a slow one finds."""

import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from mmtbps.datasets.doctor import likeness
from mmtbps.datasets.doctor.likeness import MOST_BITS, find_alike, hash_picture


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


def joined(hashes, most_bits):
    """Groups by looking at each pair, again and again until nothing joins."""
    groups = [{name} for name in hashes]
    while True:
        for one, other in combinations(groups, 2):
            if any((hashes[a] != hashes[b]).sum() <= most_bits for a in one for b in other):
                groups = [*(group for group in groups if group not in (one, other)), one | other]
                break
        else:
            return sorted(sorted(group) for group in groups if len(group) > 1)


@pytest.mark.parametrize('most_bits', [0, 3, 31])
@pytest.mark.parametrize('told', [320, 60])  # bits that differ at all between pictures
def test_the_search_finds_all_groups(most_bits, told, monkeypatch):
    monkeypatch.setattr(likeness, '_CHUNK', 7)
    draw = np.random.default_rng(most_bits)
    hashes = {}
    for number in range(12):
        hashes[f'{number}'] = (draw.random(320) < .5) & (np.arange(320) < told)
        for copy in range(2):  # the second is a copy of a copy
            near = hashes[f'{number}' + ' again' * copy].copy()
            near[draw.choice(320, int(draw.integers(0, 40)), replace=False)] ^= True
            hashes[f'{number}' + ' again' * (copy + 1)] = near
    hashes['same'] = hashes['3']
    found = find_alike(hashes, most_bits)
    assert sorted(map(sorted, found)) == joined(hashes, most_bits) != []
    order = list(hashes)
    assert all(group == sorted(group, key=order.index) for group in found)


def test_pictures_that_are_all_alike_are_one_group():
    flat = np.random.default_rng(0).random((3000, 320)) < .02
    hashes = {f'{number}': bits for number, bits in enumerate(flat)}
    assert find_alike(hashes) == [list(hashes)]


def test_nothing_to_compare():
    assert find_alike({}) == [] == find_alike({'a': np.zeros(320, bool)})
