"""Crops to be indexed, and a gallery for them."""

import pytest
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import couple

from mmtbps.search.galleries.factory import open_gallery


@pytest.fixture
def crops(tmp_path):
    """Six crops in two folders, and what is no image."""
    folder = paint_folder(tmp_path / 'crops', 'red', 'blue', 'red-blue')
    paint_folder(folder / 'c2', 'green', 'yellow', 'black')
    (folder / 'notes.txt').write_text('nothing')
    return folder


@pytest.fixture
def gallery(tmp_path):
    return open_gallery(tmp_path / 'people', ColorEncoder.fingerprint)


@pytest.fixture
def photographs(tmp_path):
    """Two photographs of two people each, and one of nobody."""
    folder = tmp_path / 'photographs'
    folder.mkdir()
    couple('red', 'blue').save(folder / 'a.png')
    couple('green', 'yellow').save(folder / 'b.png')
    paint('black').save(folder / 'nobody.png')
    return folder
