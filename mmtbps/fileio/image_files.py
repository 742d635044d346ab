"""Image files by their names."""

__all__ = ['IMAGE_SUFFIXES', 'MAX_PIXELS', 'UNREAD_SUFFIXES', 'is_image']

#: Pixels of an image, beyond which it would fill the memory.
MAX_PIXELS = 50_000_000
#: Endings of the image files that are looked for in folders, in lower case.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif', '.mpo', '.png', '.apng', '.webp', '.bmp',
                  '.tif', '.tiff', '.gif', '.avif', '.heic', '.heif', '.hif', '.jxl', '.jp2',
                  '.j2k', '.ppm', '.pgm', '.pbm', '.pnm')
#: Endings of pictures of other kinds, which are named where they are passed over: raw files of
#: cameras, drawings, and what no photograph is kept in.
UNREAD_SUFFIXES = ('.3fr', '.ai', '.arw', '.cr2', '.cr3', '.crw', '.dcr', '.dds', '.dng',
                   '.emf', '.eps', '.erf', '.exr', '.hdr', '.ico', '.iiq', '.insp', '.jng', '.jpf',
                   '.jpm', '.jps', '.jpx', '.jxr', '.kdc', '.mef', '.mos', '.mrw', '.nef', '.nrw',
                   '.orf', '.pam', '.pcx', '.pef', '.pns', '.psb', '.psd', '.qoi', '.raf', '.raw',
                   '.rw2', '.rwl', '.sr2', '.srf', '.srw', '.svg', '.svgz', '.tga', '.wdp', '.wmf',
                   '.x3f', '.xcf')


def is_image(name: str) -> bool:
    """Tell an image file by the ending of its name, in any case.

    Example:
        >>> is_image('cam_a/0001.JPG'), is_image('notes.txt')
        (True, False)
    """
    return name.lower().endswith(IMAGE_SUFFIXES)
