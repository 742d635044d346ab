"""An encoder that knows colours and nothing else: exact, instant, without weights or torch."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue

COLORS = dict(red=(220, 20, 30), green=(20, 160, 40), blue=(30, 50, 220), yellow=(240, 220, 30),
              black=(10, 10, 10), white=(245, 245, 245), purple=(130, 30, 160),
              orange=(250, 140, 20))


class ColorEncoder:
    """Four stripes of mean colour, top to bottom, as a unit vector.

    A text is the picture that its colour words describe: ``'red coat, blue trousers'`` is red
    above and blue below, ``'all in green'`` is green all over. A text without colour words is a
    direction of its own.
    """

    dim = 12
    fingerprint = dict(model='0' * 64, pipeline='four stripes', dim=12)

    def encode_images(self, images):
        """``(N, 12)`` float32 unit features of PIL images."""
        return _unit([np.asarray(image.convert('RGB').resize((1, 4), Image.Resampling.BOX))
                      for image in images])

    def encode_texts(self, texts):
        """``(N, 12)`` float32 unit features of strings."""
        return _unit([self._imagine(text) for text in texts])

    def _imagine(self, text):
        if not text.strip():
            raise BadValue('the query is empty')
        words = [word.strip('.,;:!?').lower() for word in text.split()]
        named = [COLORS[word] for word in words if word in COLORS]
        if not named:
            return np.random.default_rng(zlib.crc32(text.encode())).integers(0, 256, (4, 3))
        return np.array([named[row * len(named) // 4] for row in range(4)])


def paint(upper, lower=None, size=(8, 16)):
    """A PIL image of one or two named colours, the second below; an exact match for its text."""
    image = Image.new('RGB', size, COLORS[upper])
    image.paste(COLORS[lower or upper], (0, size[1] // 2, *size))
    return image


def paint_folder(folder, *names):
    """PNG files named after their colours, as ``paint_folder(tmp_path, 'red', 'red-blue')``."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        paint(*name.split('-')).save(folder / f'{name}.png')
    return folder


def _unit(stripes):
    # 120 and not the middle: no colour of the list becomes a zero vector.
    features = np.array(stripes, np.float64).reshape(len(stripes), 12) - 120
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
