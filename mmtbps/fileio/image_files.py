"""Image files by their names."""

__all__ = ['IMAGE_SUFFIXES', 'MAX_PIXELS', 'is_image']

#: Pixels of an image, beyond which it would fill the memory.
MAX_PIXELS = 50_000_000
#: Endings of the image files that are looked for in folders, in lower case.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')


def is_image(name: str) -> bool:
    """Tell an image file by the ending of its name, in any case.

    Example:
        >>> is_image('cam_a/0001.JPG'), is_image('notes.txt')
        (True, False)
    """
    return name.lower().endswith(IMAGE_SUFFIXES)
