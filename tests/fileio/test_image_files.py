"""Image files by their names."""

import pytest

from mmtbps.fileio import is_image


@pytest.mark.parametrize('name, expected', [
    ('a.jpg', True), ('a/b.JPEG', True), ('a.tiff', True), ('a.jpg.txt', False), ('jpg', False),
    ('a.gif', True), ('a.HEIC', True), ('a.svg', False), ('', False)])
def test_the_ending_decides(name, expected):
    assert is_image(name) is expected
