"""Training has the pixels of an image that searching has."""

import io

import mmcv
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile as Former
from PIL import Image

from mmtbps.datasets.images import find_fault
from mmtbps.datasets.transforms import LoadImageFromFile
from mmtbps.registry import TRANSFORMS
from mmtbps.search.media.images import read_image

GRAY = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(48, 0)


def soft():
    y, x = np.mgrid[:48, :64]
    return Image.fromarray(np.stack([60 + 2 * x, 200 - 2 * y, 80 + x + y], 2).astype(np.uint8))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def write(folder):
    """Images of many kinds, by name."""
    clear = soft().convert('RGBA')
    clear.putalpha(Image.fromarray(GRAY))
    kinds = {
        'plain.jpg': (soft(), {}), 'gray.jpg': (soft().convert('L'), {}),
        'progressive.jpg': (soft(), dict(progressive=True)), 'turned.jpg': (soft(),
                                                                            dict(exif=turned())),
        'cmyk.jpg': (soft().convert('CMYK'), {}), 'clear.png': (clear, {}),
        'deep.png': (Image.fromarray(GRAY.astype(np.uint16) * 257), {}),
        'turned.png': (soft(), dict(exif=turned())), 'palette.png': (soft().convert('P'), {}),
        'clear.webp': (clear, dict(lossless=True)), 'float.tif': (
            Image.fromarray((GRAY / 255).astype(np.float32)), {}), 'still.gif': (soft(), {})}
    for name, (image, options) in kinds.items():
        image.save(folder / name, **options)
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)).save(
        buffer, 'JPEG')
    (folder / 'short.jpg').write_bytes(buffer.getvalue()[:-20])
    return sorted(folder.iterdir())


def load(path, kind=LoadImageFromFile):
    return kind()(dict(img_path=str(path)))


def test_training_and_searching_agree(tmp_path):
    for path in write(tmp_path):
        item, image = load(path), read_image(path)
        assert item['img'].dtype == np.uint8 and item['img'].flags.c_contiguous
        assert item['img_shape'] == item['ori_shape'] == (image.height, image.width)
        difference = np.abs(item['img'][..., ::-1].astype(int) - np.asarray(image)).max()
        assert difference <= (2 if 'jpg' in path.name else 0), path.name
        assert find_fault(str(path)) is None, path.name


@pytest.mark.parametrize('name', ['plain.jpg', 'gray.jpg', 'progressive.jpg', 'turned.jpg'])
def test_plain_images_are_those_of_mmcv_bit_for_bit(tmp_path, name):
    write(tmp_path)
    np.testing.assert_array_equal(load(tmp_path / name)['img'],
                                  load(tmp_path / name, Former)['img'])


def test_it_stands_for_the_one_of_mmcv_in_text_configs(tmp_path):
    write(tmp_path)
    built = TRANSFORMS.build(dict(type='LoadImageFromFile'))
    assert type(built) is LoadImageFromFile
    np.testing.assert_array_equal(
        TRANSFORMS.build(dict(type='LoadImageFromFile', color_type='grayscale'))(
            dict(img_path=str(tmp_path / 'plain.jpg')))['img'],
        mmcv.imread(str(tmp_path / 'plain.jpg'), 'grayscale'))


def test_an_image_that_is_none_is_an_error_and_a_fault(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'nothing')
    with pytest.raises(ValueError, match='no image of a known format'):
        load(tmp_path / 'a.png')
    assert find_fault(str(tmp_path / 'a.png')).reason == 'no image of a known format'
