"""Small videos of coloured rectangles that walk, and a detector that finds them exactly."""

from fractions import Fraction

import numpy as np
import pytest

from mmtbps.search.media.base import Detection

FPS = 10
SIZE = (96, 64)  # width and height
CODECS = {'mpg': 'mpeg2video', 'mpeg': 'mpeg2video', 'webm': 'libvpx', 'wmv': 'wmv2'}
COLORS = dict(red=(230, 20, 20), green=(20, 200, 20), blue=(30, 30, 230))


def gray_frames(count):
    """Frames whose brightness tells their number: 8 n."""
    return [np.full((SIZE[1], SIZE[0], 3), 8 * number, np.uint8) for number in range(count)]


def draw(*people):
    """A black frame with rectangles: (colour, left, top, right, bottom); later ones in front."""
    frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for color, left, top, right, bottom in people:
        frame[top:bottom, left:right] = COLORS[color]
    return frame


def write_video(path, frames):
    """Motion JPEG: each frame for itself, so that one can be broken without the others."""
    import cv2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), FPS, SIZE)
    for frame in frames:
        writer.write(frame[..., ::-1].copy())
    writer.release()
    return path


def encode(path, pixels, start=0):
    """A video of 25 frames a second, whose first one is shown ``start`` frames late."""
    av = pytest.importorskip('av')
    with av.open(str(path), 'w', format='mp4' if path.suffix == '.m4v' else None) as container:
        stream = container.add_stream(CODECS.get(path.suffix[1:], 'mpeg4'), rate=25)
        stream.height, stream.width = pixels[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = 'yuv420p', 4_000_000
        stream.codec_context.time_base = Fraction(1, 25)
        for number, image in enumerate(pixels):
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            frame.pts, frame.time_base = number + start, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shades(first, count, size=(96, 64)):
    """Frames whose brightness tells their number: it rises by one."""
    return [np.full((size[1], size[0], 3), first + number, np.uint8) for number in range(count)]


def break_frames(path, numbers):
    """Overwrite the content of some frames of such a video."""
    data = bytearray(path.read_bytes())
    starts = [place for place in range(data.find(b'movi'), len(data))
              if data[place:place + 4] == b'00dc']
    for number in numbers:
        size = int.from_bytes(data[starts[number] + 4:starts[number] + 8], 'little')
        data[starts[number] + 8:starts[number] + 8 + size] = bytes(size)
    path.write_bytes(data)
    return path


class ColorDetector:
    """Each colour is a person; what JPEG smears at the borders is not."""

    def __init__(self, batch_size=4, score=.9):
        self.batch_size, self.score, self.seen = batch_size, score, 0

    def __call__(self, images):
        assert 0 < len(images) <= self.batch_size
        self.seen += len(images)
        return [self._people(np.asarray(image).astype(int)) for image in images]

    def _people(self, pixels):
        found = []
        for color in COLORS.values():
            rows, columns = np.nonzero(np.abs(pixels - color).max(-1) < 60)
            if len(rows) > 20:
                box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                found.append(Detection(tuple(map(int, box)), self.score))
        return found


def color_of(image):
    """Name the colour of most of a crop."""
    mean = np.median(np.asarray(image).reshape(-1, 3), axis=0)
    return min(COLORS, key=lambda name: np.abs(mean - COLORS[name]).sum())
