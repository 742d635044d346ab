"""Pictures of every mode, depth, color space and orientation are what a person sees."""

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from mmtbps.errors import UserError
from mmtbps.fileio import IMAGE_SUFFIXES, UNREAD_SUFFIXES, UNREAD_VIDEO_SUFFIXES, pictures
from mmtbps.fileio.pictures import BadPicture, decode_picture, is_plain_jpeg
from mmtbps.search.media.base import VIDEO_SUFFIXES

GRAY = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(48, 0)
LOSSLESS = {'WEBP': dict(lossless=True), 'TIFF': {}, 'PNG': {}, 'BMP': {}, 'GIF': {}, 'PPM': {},
            'JPEG2000': {}}


def coded(image, kind, **options):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # of mode I in a PNG
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def seen(data):
    picture = decode_picture(data)
    assert picture.image.mode == 'RGB' and picture.image.info == {}
    return np.asarray(picture.image).astype(int)


def smooth(width=64, height=48):
    """A picture of soft colors, which JPEG keeps within a few levels."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([60 + 2 * x, 200 - 2 * y, 80 + x + y], 2).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def rgb(gray):
    return np.repeat(np.asarray(gray, int)[..., None], 3, 2)


# ------------------------------------------------------------------ modes and depths
GRAY_KINDS = {'PNG': ['L', 'LA', 'P', 'I;16', 'I'], 'TIFF': ['L', 'LA', 'P', 'I;16', 'I', 'F'],
              'WEBP': ['L', 'LA', 'P'], 'GIF': ['L', 'LA', 'P'], 'JPEG2000': ['L', 'LA', 'I;16']}


@pytest.mark.parametrize('kind, mode', [
    (kind, mode) for kind, modes in GRAY_KINDS.items() for mode in modes])
def test_gray_of_every_mode_is_the_same_gray(mode, kind):
    image = Image.fromarray(GRAY)
    if mode in ('I;16', 'I'):
        wide = GRAY.astype(np.uint16) * 257
        image = Image.fromarray(wide if mode == 'I;16' else wide.astype(np.int32))
    elif mode == 'F':
        image = Image.fromarray((GRAY / 255).astype(np.float32))
    else:
        image = image.convert(mode)
    assert np.abs(seen(coded(image, kind, **LOSSLESS[kind])) - rgb(GRAY)).max() <= 1


@pytest.mark.parametrize('order, mode', [('<u2', 'I;16'), ('>u2', 'I;16B')])
def test_sixteen_bits_of_both_byte_orders(order, mode):
    wide = (GRAY.astype(np.uint16) * 257).astype(order)
    image = Image.frombytes(mode, (64, 48), wide.tobytes())
    data = coded(image, 'TIFF')
    assert data[:2] == (b'II' if mode == 'I;16' else b'MM')
    np.testing.assert_array_equal(seen(data), rgb(GRAY))


def tiff(pixels, bits, photometric):
    """An uncompressed gray TIFF."""
    tags = [(256, 4, pixels.shape[1]), (257, 4, pixels.shape[0]), (258, 3, bits), (259, 3, 1),
            (262, 3, photometric), (273, 4, 8), (277, 3, 1), (278, 4, pixels.shape[0]),
            (279, 4, pixels.nbytes)]
    entries = b''.join(struct.pack('<HHII', tag, kind, 1, value) for tag, kind, value in tags)
    return (struct.pack('<2sHI', b'II', 42, 8 + pixels.nbytes) + pixels.tobytes()
            + struct.pack('<H', len(tags)) + entries + bytes(4))


def test_a_tiff_whose_zero_is_white():
    inverted = 65535 - GRAY.astype('<u2') * 257
    np.testing.assert_array_equal(seen(tiff(inverted, 16, photometric=0)), rgb(GRAY))
    np.testing.assert_array_equal(seen(tiff(255 - GRAY, 8, photometric=0)), rgb(GRAY))


def test_twelve_bits_are_not_dark():
    twelve = np.round(GRAY / 255 * 4095).astype(int)
    pairs = twelve.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8,
                       pairs[:, 1] & 255], 1).astype(np.uint8).reshape(48, -1)
    data = bytearray(tiff(packed, 12, photometric=1))
    place = data.find(struct.pack('<HHI', 256, 4, 1))
    data[place + 8:place + 12] = struct.pack('<I', 64)
    assert np.abs(seen(bytes(data)) - rgb(GRAY)).max() <= 1


def test_numbers_of_the_range_of_eight_bits_stay():
    for mode in ('I', 'F'):
        np.testing.assert_array_equal(
            seen(coded(Image.fromarray(GRAY).convert(mode), 'TIFF')), rgb(GRAY))
    holes = GRAY.astype(np.float32)
    holes[0, :3] = np.nan, np.inf, -5
    assert seen(coded(Image.fromarray(holes), 'TIFF'))[0, :3].max() == 0


@pytest.mark.parametrize('bits', ['RGB;16', 'one bit'])
def test_other_depths(bits):
    if bits == 'one bit':
        image = Image.fromarray(GRAY).convert('1')
        for kind in ('PNG', 'TIFF', 'BMP', 'PPM'):
            np.testing.assert_array_equal(seen(coded(image, kind)), rgb(np.asarray(image) * 255))
        return
    cv2 = pytest.importorskip('cv2')
    pixels = np.asarray(smooth())
    for ending in ('.png', '.tif'):
        _, data = cv2.imencode(ending, pixels[..., ::-1].astype(np.uint16) * 257)
        np.testing.assert_array_equal(seen(data.tobytes()), pixels)


@pytest.mark.parametrize('mode, kind, near', [
    ('CMYK', 'TIFF', 1), ('CMYK', 'JPEG', 6), ('YCbCr', 'JPEG', 6), ('RGBX', 'TIFF', 0),
    ('RGBA', 'PNG', 0), ('RGB', 'BMP', 0), ('RGB', 'JPEG2000', 0), ('RGB', 'PPM', 0)])
def test_colors_of_every_mode(mode, kind, near):
    data = coded(smooth().convert(mode), kind, **(dict(quality=95) if kind == 'JPEG' else {}))
    assert np.abs(seen(data) - np.asarray(smooth(), int)).max() <= near


def test_lab():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile('sRGB'),
                                     ImageCms.createProfile('LAB'), 'RGB', 'LAB')
    lab = ImageCms.applyTransform(smooth(), to_lab)
    assert np.abs(seen(coded(lab, 'TIFF')) - np.asarray(smooth(), int)).mean() < 2


def test_what_is_not_covered_is_white():
    image = smooth().convert('RGBA')
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, 16:32], alpha[:, 32:] = 128, 255
    image.putalpha(Image.fromarray(alpha))
    cover = alpha[..., None] / 255
    expected = np.asarray(smooth()) * cover + 255 * (1 - cover)
    for kind in ('PNG', 'TIFF'):
        assert np.abs(seen(coded(image, kind)) - expected).max() <= 1
    gray = Image.fromarray(GRAY).convert('LA')
    gray.putalpha(Image.fromarray(alpha))
    expected = rgb(GRAY) * cover + 255 * (1 - cover)
    for data in (coded(gray, 'PNG'), coded(gray, 'TIFF')):
        assert np.abs(seen(data) - expected).max() <= 1


def test_a_palette_with_a_hole_and_one_color_as_a_hole():
    for mode, hole in (('P', 3), ('L', 3), ('RGB', (3, 3, 3))):
        image = Image.new(mode, (4, 2), hole)
        if mode == 'P':
            image.putpalette([value for gray in range(256) for value in (gray, ) * 3])
        image.putpixel((0, 0), 200 if mode != 'RGB' else (200, 200, 200))
        found = seen(coded(image, 'PNG', transparency=hole))
        assert found[0, 0].tolist() == [200] * 3 and found[1, 1].tolist() == [255] * 3, mode
    gif = Image.new('RGBA', (4, 2), (0, 0, 0, 0))
    gif.putpixel((0, 0), (10, 20, 30, 255))
    found = seen(coded(gif, 'GIF'))
    assert found[1, 1].tolist() == [255] * 3 and found[0, 0].tolist() == [10, 20, 30]


# ------------------------------------------------------------------ color profiles
def profile(primaries, gamma, name, white=(.9642, 1., .8249)):
    """An ICC profile of three primaries (XYZ, columns) and a power curve."""
    def fixed(*numbers):
        return b''.join(struct.pack('>i', round(number * 65536)) for number in numbers)

    curve = b'curv' + bytes(4) + struct.pack('>IH', 1, round(gamma * 256)) + bytes(2)
    text = name.encode() + b'\0'
    tags = {b'desc': b'desc' + bytes(4) + struct.pack('>I', len(text)) + text + bytes(78),
            b'wtpt': b'XYZ ' + bytes(4) + fixed(*white)}
    for letter, column in zip(b'rgb', np.transpose(primaries), strict=True):
        tags[bytes([letter]) + b'XYZ'] = b'XYZ ' + bytes(4) + fixed(*column)
        tags[bytes([letter]) + b'TRC'] = curve
    table, body, start = b'', b'', 132 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack('>4sII', tag, start + len(body), len(content))
        body += content
    size = start + len(body)
    header = struct.pack('>I4sI4s4s4s12s4s', size, bytes(4), 0x02400000, b'mntr', b'RGB ', b'XYZ ',
                         bytes(12), b'acsp') + bytes(28) + fixed(.9642, 1., .8249) + bytes(48)
    return header + struct.pack('>I', len(tags)) + table + body


#: Columns for D50, as the profiles have them.
SRGB = np.array([[.4361, .3851, .1431], [.2225, .7169, .0606], [.0139, .0971, .7141]])
ADOBE = np.array([[.6097, .2053, .1492], [.3111, .6257, .0632], [.0195, .0609, .7446]])
P3 = np.array([[.5151, .2920, .1571], [.2412, .6922, .0666], [-.0011, .0419, .7841]])


@pytest.mark.parametrize('primaries, gamma, name', [
    (ADOBE, 563 / 256, 'Adobe RGB (1998)'), (P3, 2.2, 'Display P3')])
@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'JPEG', 'WEBP'])
def test_colors_are_those_of_the_profile(primaries, gamma, name, kind):
    pixels = np.array([[[200, 60, 60], [60, 180, 60]], [[70, 70, 190], [128, 128, 128]]], np.uint8)
    image = Image.fromarray(pixels.repeat(16, 0).repeat(16, 1))
    icc = profile(primaries, gamma, name)
    options = {'JPEG': dict(quality=100, subsampling=0), 'WEBP': dict(lossless=True)}.get(kind, {})
    linear = (pixels / 255) ** gamma @ primaries.T @ np.linalg.inv(SRGB).T
    linear = linear.clip(0, 1)
    expected = np.where(linear <= .0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - .055)
    found = seen(coded(image, kind, icc_profile=icc, **options))[8::16, 8::16]
    assert np.abs(found - 255 * expected).max() < 4
    assert np.abs(found - pixels.astype(int)).max() > 12, 'the profile changes nothing'
    if kind == 'PNG':  # with an alpha channel and with a palette, too
        covered = image.convert('RGBA')
        assert np.abs(seen(coded(covered, kind, icc_profile=icc))[8::16, 8::16]
                      - 255 * expected).max() < 4
        few = image.quantize(4)
        assert np.abs(seen(coded(few, kind, icc_profile=icc))[8::16, 8::16]
                      - 255 * expected).max() < 5


def test_srgb_and_broken_profiles_change_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    for icc in (srgb, b'no profile', srgb[:200]):
        np.testing.assert_array_equal(seen(coded(smooth(), 'PNG', icc_profile=icc)),
                                      np.asarray(smooth()))


# ------------------------------------------------------------------ orientation, several pictures
TURNED = [lambda p: p, lambda p: p[:, ::-1], lambda p: p[::-1, ::-1], lambda p: p[::-1],
          lambda p: p.transpose(1, 0, 2), lambda p: np.rot90(p, -1),
          lambda p: p[::-1, ::-1].transpose(1, 0, 2), lambda p: np.rot90(p)]


@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'WEBP', 'JPEG', 'AVIF'])
def test_all_eight_orientations(kind):
    if kind == 'AVIF' and not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    for orientation, turn in enumerate(TURNED, start=1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        found = seen(coded(smooth(), kind, exif=exif, **LOSSLESS.get(kind, dict(quality=95))))
        expected = turn(np.asarray(smooth(), int))
        assert found.shape == expected.shape and np.abs(found - expected).mean() < 3, orientation


def test_the_first_of_several_pictures_counts():
    for kind in ('MPO', 'GIF', 'WEBP', 'PNG', 'TIFF'):
        options = LOSSLESS.get(kind, dict(quality=95)) | dict(
            save_all=True, append_images=[Image.new('RGB', (64, 48), 'red')])
        found = seen(coded(smooth(), kind, **options))
        assert np.abs(found - np.asarray(smooth(), int)).mean() < 4, kind


def test_a_gain_map_is_left_aside():
    """As telephones write: a JPEG, XMP that speaks of a gain map, and that map behind it."""
    xmp = (b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf '
           b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/></x:xmpmeta>')
    base = coded(smooth(), 'JPEG', quality=95)
    segment = b'\xff\xe1' + struct.pack('>H', len(xmp) + 2) + xmp
    data = base[:2] + segment + base[2:] + coded(Image.new('L', (16, 12), 90), 'JPEG')
    np.testing.assert_array_equal(seen(data), seen(base))


# ------------------------------------------------------------------ broken, refused
@pytest.mark.parametrize('cut', [1, 2, 3, 40])
def test_a_jpeg_without_its_last_bytes_is_read_with_a_note(cut):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8))
    whole = coded(noise, 'JPEG')
    picture = decode_picture(whole[:-cut])
    assert cut <= 2 or 'last bytes are missing' in picture.note
    assert decode_picture(whole).note is None
    np.testing.assert_array_equal(np.asarray(picture.image)[:-18], seen(whole)[:-18])


@pytest.mark.parametrize('share', [.1, .5, .7])
def test_a_jpeg_that_lacks_more_is_refused(share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8))
    whole = coded(noise, 'JPEG')
    with pytest.raises(BadPicture, match='(?i)truncated'):
        decode_picture(whole[:int(share * len(whole))])


@pytest.mark.parametrize('data, words', [
    (b'', 'no image'), (b'%!PS-Adobe-3.0 EPSF-3.0\n', 'no image'), (b'\xff\xd8\xff', '.'),
    (b'\0\0\0\x18ftypheic' + bytes(40), 'pip install pillow-heif|.'),
    (b'\xff\x0a' + bytes(40), 'pip install pillow-jxl-plugin|.')])
def test_what_is_no_picture_is_refused(data, words):
    with pytest.raises(BadPicture, match=words) as caught:
        decode_picture(data)
    assert isinstance(caught.value, UserError)


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(pictures, '_formats', lambda: ('JPEG', 'PNG'))
    with pytest.raises(BadPicture, match='pip install pillow-heif'):
        decode_picture(b'\0\0\0\x18ftypheic' + bytes(40))
    with pytest.raises(BadPicture, match='pip install pillow-jxl-plugin'):
        decode_picture(b'\xff\x0a' + bytes(40))


#: Format of Pillow by ending, where it is not that of Pillow's own table.
FORMATS = {'.jxl': 'JXL', '.mpo': 'MPO', '.dib': 'BMP',
           **dict.fromkeys(('.heic', '.heics', '.heif', '.heifs', '.hif'), 'HEIF'),
           **dict.fromkeys(('.jfi', '.jif', '.pjpeg', '.pjp'), 'JPEG')}
PACKAGES = {'HEIF': 'pillow_heif', 'JXL': 'pillow_jxl'}


@pytest.mark.parametrize('ending', IMAGE_SUFFIXES)
def test_every_ending_that_is_looked_for_is_read(ending):
    Image.init()
    kind = FORMATS.get(ending) or Image.EXTENSION[ending]
    if kind in PACKAGES:
        pytest.importorskip(PACKAGES[kind])
        pictures._formats()
    if kind == 'AVIF' and not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    image = smooth().convert({'.pbm': '1', '.pfm': 'F'}.get(ending, 'RGB'))
    found = seen(coded(image, kind, **LOSSLESS.get(kind, dict(quality=95))))
    assert np.abs(found - np.asarray(image.convert('RGB'), int)).mean() < 4


def test_endings_are_read_or_named_but_not_both():
    endings = IMAGE_SUFFIXES + VIDEO_SUFFIXES + UNREAD_SUFFIXES + UNREAD_VIDEO_SUFFIXES
    assert len(endings) == len(set(endings))
    assert all(ending == ending.lower() for ending in endings)


@pytest.mark.parametrize('kind, package', [('HEIF', 'pillow_heif'), ('JXL', 'pillow_jxl')])
def test_formats_of_plugins(kind, package):
    pytest.importorskip(package)
    exif, turned = Image.Exif(), kind == 'HEIF'  # JPEG XL has a field of its own for that
    exif[0x0112] = 6
    pictures._formats()
    found = seen(coded(smooth(), kind, exif=exif.tobytes(), quality=95))
    expected = np.rot90(np.asarray(smooth(), int), -1 if turned else 0)
    assert found.shape == expected.shape and np.abs(found - expected).mean() < 4


def test_plain_jpegs_are_told_by_their_headers():
    plain = coded(smooth(), 'JPEG')
    assert is_plain_jpeg(plain) and is_plain_jpeg(coded(smooth().convert('L'), 'JPEG'))
    assert is_plain_jpeg(coded(smooth(), 'JPEG', progressive=True, comment='x'))
    others = [plain[:-2], plain[:200], coded(smooth().convert('CMYK'), 'JPEG'),
              coded(smooth(), 'JPEG', icc_profile=profile(ADOBE, 2.2, 'Adobe')),
              coded(smooth(), 'PNG'), b'', b'\xff\xd8\xff\xd9', b'\xff\xd8' + b'\xff' * 9]
    assert not any(map(is_plain_jpeg, others))
