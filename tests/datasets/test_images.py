"""Looking for images and decoding them."""

import pytest
from PIL import Image

from mmtbps.datasets import images
from mmtbps.datasets.images import (
    decode_error,
    find_missing_images,
    find_undecodable,
    read_picture,
)
from mmtbps.datasets.skipped import UndecodableImage, UnreadableImage
from mmtbps.datasets.write_packed import pack_images


def test_find_missing_over_folders(tmp_path, write_image):
    for name in ('a/1.jpg', 'a/b/2.jpg'):
        write_image(tmp_path / name)
    names = ['a/1.jpg', 'a/2.jpg', 'a/b/2.jpg', 'none/1.jpg', 'a/1.jpg/x.jpg']
    missing = find_missing_images(str(tmp_path / name) for name in names)
    assert missing == {str(tmp_path / name) for name in ('a/2.jpg', 'none/1.jpg', 'a/1.jpg/x.jpg')}


@pytest.mark.parametrize('kind', ['jpg', 'png'])
def test_decode_error_reads_all_bytes(tmp_path, write_image, kind):
    path = tmp_path / f'a.{kind}'
    write_image(path, size=(128, 384))
    assert decode_error(str(path)) is None
    path.write_bytes(path.read_bytes()[:-40])  # the header is whole
    assert decode_error(str(path)) is not None


def test_a_picture_is_read_packed_or_not(tmp_path, write_image):
    write_image(tmp_path / 'imgs/é/1.png')
    (tmp_path / 'imgs/broken.png').write_bytes(b'no picture')
    pack_images(tmp_path / 'imgs', tmp_path / 'imgs.tars')
    packed = f'packed://{tmp_path}/imgs.tars'
    pixels = read_picture(tmp_path / 'imgs/é/1.png').tobytes()
    assert pixels == read_picture(f'{packed}/é/1.png').tobytes()
    for folder in (tmp_path / 'imgs', packed):
        with pytest.raises(UndecodableImage, match='broken.png: '):
            read_picture(f'{folder}/broken.png')
        with pytest.raises(UnreadableImage, match='none.png cannot be read'):
            read_picture(f'{folder}/none.png')


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'CMYK'])
def test_unusual_modes_are_fine(tmp_path, mode):
    path = tmp_path / ('a.jpg' if mode in ('L', 'CMYK') else 'a.png')
    Image.new(mode, (3, 5)).save(path)
    assert decode_error(str(path)) is None


def test_find_undecodable_gives_reasons(tmp_path, write_image, monkeypatch):
    paths = [tmp_path / f'{i}.jpg' for i in range(12)]
    for path in paths:
        write_image(path)
    paths[3].write_bytes(b'')
    paths[8].write_bytes(b'<html>')
    for progress_from in (2000, 0):  # without and with the progress bar
        monkeypatch.setattr(images, '_PROGRESS_FROM', progress_from)
        found = find_undecodable([str(path) for path in paths])
        assert set(found) == {str(paths[3]), str(paths[8])}
        assert all(reason == 'no image of a known format' for reason in found.values())
