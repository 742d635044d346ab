"""Files that show one picture, blue above red, in ways that a plain decoder does not see."""

import numpy as np
from PIL import Image

_TURNED = 6        # EXIF: the camera was held so that a viewer turns the picture to the right
_ORIENTATION = 274


def seen(size=(8, 24)):
    """Draw the picture as a person sees it."""
    image = Image.new('RGB', size, (220, 40, 40))
    image.paste((40, 60, 220), (0, 0, size[0], size[1] // 3))
    return image


def _turned(path):
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    seen().transpose(Image.Transpose.ROTATE_90).save(path, 'PNG', exif=exif)


def _transparent(path):
    image = Image.new('RGBA', (8, 24), (0, 0, 0, 0))   # black where nobody sees it
    image.paste((*seen().getpixel((0, 0)), 255), (0, 0, 8, 8))
    image.save(path, 'PNG')


def _deep(path):
    Image.fromarray(np.full((24, 8), 30_000, np.uint16)).save(path, 'PNG')


#: Name -> how to write it, and its pixels at the top and at the bottom.
ODD_PICTURES = dict(turned=(_turned, (40, 60, 220), (220, 40, 40)),
                    transparent=(_transparent, (40, 60, 220), (255, 255, 255)),
                    deep=(_deep, (117, 117, 117), (117, 117, 117)))
