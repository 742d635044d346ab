"""Reading images that nobody has looked at: right pixels, and every trap refused."""

import os
import pickle
import struct
import zlib

import numpy as np
import pytest
from fakes import paint, paint_folder
from PIL import Image

from mmtbps.errors import UserError
from mmtbps.search.media.images import (
    UnreadableImage,
    decode_image,
    find_files,
    list_images,
    read_bytes,
    read_image,
)


def png_of(width, height):
    """A PNG whose header promises so many pixels and whose data hold one line of nothing."""
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data
                + struct.pack('>I', zlib.crc32(kind + data)))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
            + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b''))


def test_pixels_are_rgb_and_turned_as_exif_says(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6                     # the camera was held upright: turn by 90 degrees
    Image.fromarray(pixels).save(tmp_path / 'a.png', exif=exif)
    read = read_image(tmp_path / 'a.png')
    assert read.mode == 'RGB'
    np.testing.assert_array_equal(np.asarray(read), np.rot90(pixels, k=-1))


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'CMYK', '1'])
def test_any_mode_becomes_rgb(tmp_path, mode):
    file = tmp_path / ('a.jpg' if mode == 'CMYK' else 'a.png')
    Image.new('RGB', (4, 4), 'white').convert(mode).save(file)
    assert np.asarray(read_image(file)).min() > 250


@pytest.mark.parametrize('size', [
    (10_000, 6_000),                     # more than we take
    (12_000, 10_000),                    # so many that Pillow warns
    (60_000, 60_000),                    # so many that Pillow refuses
])
@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, size):
    (tmp_path / 'bomb.png').write_bytes(png_of(*size))
    with pytest.raises(UnreadableImage, match='more than 50 million'):
        read_image(tmp_path / 'bomb.png')


def test_the_pixel_limit_is_inclusive(tmp_path):
    paint('red', size=(8, 16)).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png', max_pixels=128).size == (8, 16)
    with pytest.raises(UnreadableImage, match='8 x 16 pixels'):
        read_image(tmp_path / 'a.png', max_pixels=127)


def test_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / 'huge.jpg', 'wb') as file:
        file.truncate(100 * 2**20)
    with pytest.raises(UnreadableImage, match='larger than 50 MiB'):
        read_image(tmp_path / 'huge.jpg')
    (tmp_path / 'small').write_bytes(bytes(10))
    assert read_bytes(tmp_path / 'small', max_bytes=10) == bytes(10)
    with pytest.raises(UnreadableImage):
        read_bytes(tmp_path / 'small', max_bytes=9)


@pytest.mark.parametrize('content', [
    b'', b'no image at all', b'\xff\xd8\xff', b'GIF89a' + bytes(50), png_of(5, 5),
    b'%!PS-Adobe-3.0 EPSF-3.0\n'])
def test_what_is_no_whole_image_is_refused(content):
    with pytest.raises(UnreadableImage, match='a.jpg: .'):
        decode_image(content, 'a.jpg')


def test_a_cut_off_jpeg_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.jpg')
    whole = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'b.jpg').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(UnreadableImage, match='truncated'):
        read_image(tmp_path / 'b.jpg')


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    for name in ('pipe.jpg', 'folder.jpg', 'nothing.jpg'):
        with pytest.raises(UnreadableImage, match='no such file'):
            read_image(tmp_path / name)


def test_the_error_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(UnreadableImage('a.jpg', 'too large')))
    assert (error.path, error.reason, str(error)) == ('a.jpg', 'too large', 'a.jpg: too large')


def test_images_are_found_in_order_without_leaving_the_folder(tmp_path):
    outside = paint_folder(tmp_path / 'outside', 'blue')
    inside = paint_folder(tmp_path / 'inside', 'red')
    paint_folder(inside / 'deeper', 'green', 'black')
    paint_folder(inside / '.thumbnails', 'white')
    paint('white').save(inside / '.hidden.png')
    paint('yellow').save(inside / 'UPPER.JPG')
    (inside / 'notes.txt').write_text('no image')
    (inside / 'out.png').symlink_to(outside / 'blue.png')
    (inside / 'twice.png').symlink_to(inside / 'red.png')
    (inside / 'out').symlink_to(outside)
    os.mkfifo(inside / 'pipe.png')
    found = [path.relative_to(inside).as_posix() for path in list_images(inside)]
    assert found == ['UPPER.JPG', 'deeper/black.png', 'deeper/green.png', 'red.png']
    refused = {path.name: reason for path, reason in find_files(inside, ('.png',)) if reason}
    assert refused == {'out.png': 'a symbolic link is not followed',
                       'twice.png': 'a symbolic link is not followed',
                       'out': 'a symbolic link is not followed', 'pipe.png': 'no regular file'}


def test_a_name_that_is_no_text_is_refused(tmp_path):
    try:
        (tmp_path / os.fsdecode(b'\xff.png')).write_bytes(b'')
    except OSError:
        pytest.skip('this file system takes no such name')
    assert [reason for _, reason in find_files(tmp_path, ('.png',))] == ['its name is no UTF-8']


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(NotADirectoryError, match='nowhere') as caught:
        list_images(tmp_path / 'nowhere')
    assert isinstance(caught.value, UserError)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    paint_folder(tmp_path / 'stairs', 'red')
    paint_folder(tmp_path, 'blue')
    listed = os.scandir

    def scandir(path='.'):
        if str(path).endswith('stairs'):
            raise OSError(116, 'Stale file handle', str(path))
        return listed(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    assert dict(find_files(tmp_path, ('.png',))) == {
        tmp_path / 'blue.png': None,
        tmp_path / 'stairs': 'cannot be listed (Stale file handle)'}
    with pytest.raises(UnreadableImage, match='stairs: cannot be listed'):
        list_images(tmp_path)


def test_a_file_that_cannot_be_looked_at_is_refused(tmp_path, monkeypatch):
    paint_folder(tmp_path, 'red')

    def refuse(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(type(tmp_path), 'is_symlink', refuse)
    assert [reason for _, reason in find_files(tmp_path, ('.png',))] == ['Permission denied']
