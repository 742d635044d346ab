"""Depths, holes and borders of pictures, in files written bit by bit, without Pillow."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from test_pictures import ADOBE, GRAY, SRGB, coded, profile, rgb, seen, smooth

from mmtbps.fileio.pictures import BadPicture, decode_picture, is_plain_jpeg

COLORS = np.asarray(smooth())


def png(pixels, bits, hole=None):
    """A PNG of one or three colors in a depth, with a transparent color."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack(
            '>I', zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, -1)
    if bits < 8:
        ones = (flat[..., None] >> np.arange(bits)[::-1] & 1).reshape(height, -1)
        rows = np.packbits(ones.astype(np.uint8), axis=1)
    else:
        rows = flat.astype('>u2' if bits == 16 else np.uint8)
    header = struct.pack('>IIBBBBB', width, height, bits, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    key = b'' if hole is None else chunk(b'tRNS', struct.pack(f'>{len(hole)}H', *hole))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + key
            + chunk(b'IDAT', zlib.compress(b''.join(b'\0' + row.tobytes() for row in rows)))
            + chunk(b'IEND', b''))


def tiff(pixels, order='<', numbers=1, packed=False, planes=1):
    """A TIFF of one strip, or of one a color, in either order of bytes, maybe deflated."""
    count = pixels.shape[2] if pixels.ndim == 3 else 1
    strips = np.moveaxis(pixels, 2, 0) if planes == 2 else pixels[None]
    strips = [strip.astype(strip.dtype.newbyteorder(order)).tobytes() for strip in strips]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    start, offsets = 8, []
    for strip in strips:
        offsets.append(start)
        start += len(strip)
    bits = [8 * pixels.itemsize] * count
    tags = [(256, 4, [pixels.shape[1]]), (257, 4, [pixels.shape[0]]), (258, 3, bits),
            (259, 3, [8 if packed else 1]), (262, 3, [2 if count == 3 else 1]),
            (273, 4, offsets), (277, 3, [count]), (278, 4, [pixels.shape[0]]),
            (279, 4, [len(strip) for strip in strips]), (284, 3, [planes]),
            (339, 3, [numbers] * count)]
    table, more = struct.pack(order + 'H', len(tags)), b''
    place = start + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        value = struct.pack(order + {3: 'H', 4: 'I'}[kind] * len(values), *values)
        if len(value) > 4:
            value, more = struct.pack(order + 'I', place + len(more)), more + value
        table += struct.pack(order + 'HHI', tag, kind, len(values)) + value.ljust(4, b'\0')
    head = struct.pack(order + '2sHI', b'II' if order == '<' else b'MM', 42, start)
    return head + b''.join(strips) + table + bytes(4) + more


@pytest.mark.parametrize('bits', [1, 2, 4, 8, 16])
def test_the_hole_of_a_gray_png_is_white_in_every_depth(bits):
    top = 2 ** bits - 1
    stored = np.round(GRAY / 255 * top).astype(int)
    expected = np.round(stored / top * 255)
    assert np.abs(seen(png(stored, bits)) - rgb(expected)).max() <= 1
    hole = int(stored[0, 20])
    assert np.abs(seen(png(stored, bits, (hole, )))
                  - rgb(np.where(stored == hole, 255, expected))).max() <= 1


def test_the_hole_of_a_colored_png_of_sixteen_bits_is_white():
    stored, hole = COLORS.astype(int) * 257, (0x1234, 0x5678, 0x9abc)
    stored[:9] = hole
    expected = COLORS.astype(int)
    expected[:9] = 255
    np.testing.assert_array_equal(seen(png(stored, 16, hole)), expected)


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('packed', [False, True])
def test_numbers_of_thirty_two_bits_in_both_orders_of_bytes(order, packed):
    for numbers, values in ((2, (GRAY * (2. ** 31 - 1) / 255).astype(np.int32)),
                            (3, (GRAY / 255).astype(np.float32))):
        data = tiff(values, order, numbers, packed)
        assert np.abs(seen(data) - rgb(GRAY)).max() <= 1, numbers


def test_numbers_without_a_sign_and_with_one_of_sixteen_bits():
    assert np.abs(seen(tiff((GRAY / 255 * (2 ** 32 - 1)).astype(np.uint32)))
                  - rgb(GRAY)).max() <= 1
    assert np.abs(seen(tiff((GRAY / 255 * 32767).astype(np.int16), numbers=2))
                  - rgb(GRAY)).max() <= 1


def test_a_dark_gray_of_sixteen_bits_stays_dark():
    dark = (GRAY // 2).astype('>u2')  # 127 of 65535 is next to black
    assert seen(b'P5 64 48 65535\n' + dark.tobytes()).max() <= 1
    assert seen(png(dark.astype(int), 16)).max() <= 1


def test_planes_of_sixteen_bits_are_read_or_refused_but_not_misread():
    np.testing.assert_array_equal(seen(tiff(COLORS, planes=2)), COLORS)
    deep = COLORS.astype(np.uint16) * 257
    np.testing.assert_array_equal(seen(tiff(deep, packed=True, planes=2)), COLORS)
    with pytest.raises(BadPicture, match='a plane for each'):
        decode_picture(tiff(deep, planes=2))


def test_a_jpeg_2000_whose_white_would_be_black_is_refused():
    code = bytearray(coded(smooth(), 'JPEG2000', no_jp2=True))
    start = code.find(b'\xff\x4f\xff\x51')
    assert code[start + 42:start + 51:3] == bytes([7] * 3)
    code[start + 42:start + 51:3] = bytes([11] * 3)
    with pytest.raises(BadPicture, match='12 bits a color'):
        decode_picture(bytes(code))


def test_a_kind_of_tiff_that_is_not_read_is_named():
    with pytest.raises(BadPicture, match='TIFF of a kind'):
        decode_picture(tiff((GRAY / 255).astype(np.float16), numbers=3))


def test_around_the_first_frame_of_an_animation_is_white():
    first, second = (Image.new('RGBA', (60, 40)) for _ in '12')
    first.paste((250, 0, 0, 255), (20, 10, 40, 30))
    second.paste((0, 250, 0, 255), (0, 0, 60, 40))
    expected = np.full((40, 60, 3), 255)
    expected[10:30, 20:40] = 250, 0, 0
    for kind in ('WEBP', 'GIF', 'PNG'):
        data = coded(first, kind, save_all=True, append_images=[second],
                     **(dict(lossless=True) if kind == 'WEBP' else {}))
        np.testing.assert_array_equal(seen(data), expected)
    whole = bytearray(coded(Image.new('RGB', (20, 20), (250, 0, 0)), 'GIF'))
    whole[6:10] = struct.pack('<HH', 60, 40)
    place = whole.index(b',', 13 + 3 * 2 ** ((whole[10] & 7) + 1))
    whole[place + 1:place + 5] = struct.pack('<HH', 20, 10)
    np.testing.assert_array_equal(seen(bytes(whole)), expected)


# ------------------------------------------------------------------ what a profile says
def test_a_profile_is_told_by_what_it_does_and_not_by_its_name():
    linear = np.round((COLORS / 255) ** 2.2 * 255).astype(np.uint8)
    found = seen(coded(Image.fromarray(linear), 'PNG',
                       icc_profile=profile(SRGB, 1., 'sRGB-elle-V2-g10.icc')))
    assert np.abs(found - COLORS.astype(int)).mean() < 6
    assert np.abs(linear - COLORS.astype(int)).mean() > 20
    named = coded(smooth(), 'PNG', icc_profile=profile(ADOBE, 563 / 256, 'sRGB IEC61966-2.1'))
    assert np.abs(seen(named) - COLORS.astype(int)).max() > 12
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    np.testing.assert_array_equal(seen(coded(smooth(), 'PNG', icc_profile=srgb)), COLORS)


def test_a_jpeg_turned_by_its_xmp_alone_is_not_left_to_opencv():
    """Pillow turns it and OpenCV does not: training and searching would see two pictures."""
    xmp = (b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description '
           b'tiff:Orientation="6"/></x:xmpmeta>')
    base = coded(smooth(), 'JPEG')
    data = base[:2] + b'\xff\xe1' + struct.pack('>H', len(xmp) + 2) + xmp + base[2:]
    assert decode_picture(data).image.size == (48, 64)
    assert is_plain_jpeg(base) and not is_plain_jpeg(data)
