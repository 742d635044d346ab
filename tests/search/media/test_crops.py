"""The pictures of a gallery's entries, and no others."""

import numpy as np
import pytest
from fakes import paint, paint_folder
from PIL import Image

from mmtbps.search.media.crops import crop, locate, read_crop
from mmtbps.search.media.images import UnreadableImage


@pytest.mark.parametrize('path', ['../secret.png', 'a/../../secret.png', '/etc/passwd', 'link.png',
                                  'linked/secret.png', '', '.', 'a\0.png', 'loop'])
def test_no_path_leads_out_of_the_root(tmp_path, path):
    root = tmp_path / 'root'
    (root / 'a').mkdir(parents=True)
    paint('red').save(tmp_path / 'secret.png')
    (root / 'link.png').symlink_to(tmp_path / 'secret.png')
    (root / 'linked').symlink_to(tmp_path)
    (root / 'loop').symlink_to(root / 'loop')
    with pytest.raises(UnreadableImage):
        locate(root, path)


def test_a_path_inside_is_found_after_the_root_moved(tmp_path):
    paint_folder(tmp_path / 'old/c1', 'red')
    (tmp_path / 'old').rename(tmp_path / 'new')
    assert locate(tmp_path / 'new', 'c1/red.png') == tmp_path / 'new/c1/red.png'


def test_a_crop_is_cut_off_at_the_borders():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 8, 3), np.uint8)
    image = Image.fromarray(pixels)
    np.testing.assert_array_equal(crop(image, (2, -3, 20, 4)), pixels[:4, 2:])
    assert crop(image, None) is image
    with pytest.raises(ValueError, match='holds nothing'):
        crop(image, (8, 0, 12, 5))


def test_the_picture_of_an_entry(tmp_path):
    paint('red', 'blue').save(tmp_path / 'a.png')
    lower = read_crop(tmp_path, 'a.png', box=(0, 8, 8, 16))
    np.testing.assert_array_equal(np.asarray(lower), np.asarray(paint('blue', size=(8, 8))))
    with pytest.raises(UnreadableImage, match='holds nothing'):
        read_crop(tmp_path, 'a.png', box=(50, 50, 60, 60))
