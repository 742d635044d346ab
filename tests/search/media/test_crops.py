"""The pictures of a gallery's entries, and no others."""

import hashlib
import os

import numpy as np
import pytest
from fakes import paint, paint_folder
from PIL import Image

from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.media.crops import ChangedFile, crop, locate, read_crop, read_entry
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


def entry_of(file, **known):
    state, sha256 = file.stat(), hashlib.sha256(file.read_bytes()).hexdigest()
    return GalleryEntry('x', file.name, state.st_size, sha256, mtime_ns=state.st_mtime_ns, **known)


def test_another_picture_under_the_same_name_is_not_shown(tmp_path):
    file = tmp_path / 'ring.bmp'
    paint('red').save(file)
    entry, state = entry_of(file), file.stat()
    assert read_entry(tmp_path, entry).getpixel((0, 0)) == paint('red').getpixel((0, 0))
    os.utime(file, (1, 1))                           # copied: the same picture
    read_entry(tmp_path, entry)
    paint('blue').save(file)                         # another one of the same size, and time
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    for box in (None, (0, 0, 4, 4)):
        with pytest.raises(ChangedFile, match='ring.bmp: changed since it was indexed'):
            read_entry(tmp_path, GalleryEntry.from_json({**entry.to_json(), 'box': box}))
    read_entry(tmp_path, GalleryEntry('x', 'ring.bmp'))   # nothing noted, nothing to compare


def test_another_video_under_the_same_name_is_not_shown(tmp_path):
    pytest.importorskip('cv2')
    from videos import gray_frames, write_video
    file = write_video(tmp_path / 'a.avi', gray_frames(5))
    entry, state = entry_of(file, frame=3), file.stat()
    assert read_entry(tmp_path, entry).size == (96, 64)
    os.utime(file, (state.st_atime, int(state.st_mtime)))  # an archive rounds the time
    read_entry(tmp_path, entry)
    for change in (lambda: os.utime(file, (1, 1)),
                   lambda: write_video(file, gray_frames(9)) and os.utime(
                       file, ns=(state.st_atime_ns, state.st_mtime_ns))):
        change()
        with pytest.raises(ChangedFile, match='changed since it was indexed'):
            read_entry(tmp_path, entry)
    file.unlink()
    with pytest.raises(UnreadableImage, match='no such file'):
        read_entry(tmp_path, entry)
