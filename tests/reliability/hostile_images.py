"""Hostile images: bytes under the name of a JPEG, and the reason of the refusal."""

import io
import struct
import zlib

from PIL import Image


def jpeg(size=(16, 32)):
    Image.new('RGB', size, 'red').save(file := io.BytesIO(), 'JPEG')
    return file.getvalue()


def png_header(width, height):
    """Return a PNG whose header says how large it is, with next to no content."""
    def chunk(name, data):
        return (struct.pack('>I', len(data)) + name + data
                + struct.pack('>I', zlib.crc32(name + data)))

    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(bytes(64)))
            + chunk(b'IEND', b''))


#: Name -> bytes, reason.
IMAGES = {
    'empty': (b'', 'no image of a known format'),
    'zeros': (bytes(4096), 'no image of a known format'),
    'text': (b'Not Found\n', 'no image of a known format'),
    'HTML': (b'<!DOCTYPE html><html><body>404</body></html>', 'no image of a known format'),
    'SVG': (b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', 'no image of a known format'),
    'cut': (jpeg()[:-60], 'Truncated|broken'),
    'header': (jpeg()[:20], 'no image of a known format|truncated|broken'),
    'a bomb of 400 million pixels': (png_header(20_000, 20_000), 'pixels'),
    'a bomb of 60 million pixels': (png_header(10_000, 6_000), '10000 x 6000 pixels'),
    'a bomb of 4 billion pixels': (png_header(65_000, 65_000), 'pixels'),
    'no pixels': (png_header(0, 0), 'no image of a known format'),
}
