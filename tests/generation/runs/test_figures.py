"""Pictures in pages: as a person sees them, and a word in place of one that cannot be shown."""

import base64
import io
import re
import struct
import zlib

import numpy as np
import pytest
from odd_pictures import ODD_PICTURES, seen
from PIL import Image

from mmtbps.generation.runs.figures import draw_picture


def shown(text):
    data = re.fullmatch('<img alt="before" title="before" src="data:image/jpeg;base64,(.*)">', text)
    return Image.open(io.BytesIO(base64.b64decode(data[1])))


def test_a_turned_picture_is_shown_upright(tmp_path):
    ODD_PICTURES['turned'][0](tmp_path / 'a.png')
    image = shown(draw_picture(tmp_path / 'a.png', 'before'))
    assert image.size == (8, 24) and not image.getexif()
    assert np.abs(np.asarray(image, int) - np.asarray(seen(), int)).mean() < 20


def header_of(width, height):
    """Write a PNG that announces a size and holds nothing of it."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack(
            '>I', zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0,
                                                              0, 0))
            + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b''))


@pytest.mark.parametrize('content', [b'', b'no picture', header_of(8, 8), header_of(10**5, 10**5)])
def test_a_picture_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / '<b>.png').write_bytes(content)
    text = draw_picture(tmp_path / '<b>.png', 'before')
    assert text.startswith('<span>&lt;b&gt;.png cannot be read (') and text.endswith(')</span>')
    assert '/' not in text.removesuffix('</span>')   # no path of this machine


def test_a_name_of_no_file_is_named(tmp_path):
    assert draw_picture(tmp_path / 'a.png', 'before') == '<span>a.png is gone</span>'
    assert 'cannot be read' in draw_picture(tmp_path / 'a\0.png', 'before')
    (tmp_path / 'b.png').mkdir()
    assert draw_picture(tmp_path / 'b.png', 'before').startswith('<span>b.png cannot be read (')
