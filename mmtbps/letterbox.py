"""Letterbox: padding of a crop to the shape of a model's input, without torch."""

from collections.abc import Sequence

from PIL import Image

__all__ = ['letterbox', 'letterbox_box']


def letterbox_box(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Compute the smallest canvas of a shape that holds a picture, and the picture's place on it.

    Args:
        size: (width, height) of the picture.
        shape: (height, width) of the model's input, of which only the quotient counts.

    Returns:
        Width and height of the canvas, left and upper edge of the picture. An odd pixel goes to
        the right or to the bottom.

    Example:
        >>> letterbox_box((48, 128), (224, 224))
        (128, 128, 40, 0)
        >>> letterbox_box((100, 30), (384, 128))
        (100, 300, 0, 135)
    """
    (width, height), (rows, columns) = size, shape
    wide = max(width, round(height * columns / rows))
    high = max(height, round(width * rows / columns)) if wide == width else height
    return wide, high, (wide - width) // 2, (high - height) // 2


def letterbox(image: Image.Image, shape: tuple[int, int],
              color: Sequence[int] = (0, 0, 0)) -> Image.Image:
    """Pad an RGB picture to the shape of a model's input; none of its own pixels changes.

    Args:
        image: of any size.
        shape: (height, width) of the input, of which only the quotient counts.
        color: of the margins, three numbers of 0-255.

    Example:
        >>> letterbox(Image.new('RGB', (48, 128)), (224, 224)).size
        (128, 128)
    """
    wide, high, left, top = letterbox_box(image.size, shape)
    if (wide, high) == image.size:
        return image
    canvas = Image.new('RGB', (wide, high), tuple(color))
    canvas.paste(image, (left, top))
    return canvas
