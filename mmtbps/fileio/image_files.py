"""Image files, and others that hold pictures, by their names."""

__all__ = ['IMAGE_SUFFIXES', 'MAX_PIXELS', 'UNREAD_SUFFIXES', 'UNREAD_VIDEO_SUFFIXES', 'is_image']

#: Pixels of an image, beyond which it would fill the memory.
MAX_PIXELS = 50_000_000
#: Endings of the image files that are looked for in folders, in lower case.
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif', '.jfi', '.jif', '.pjpeg', '.pjp', '.mpo',
                  '.png', '.apng', '.webp', '.bmp', '.dib', '.tif', '.tiff', '.gif', '.avif',
                  '.avifs', '.heic', '.heics', '.heif', '.heifs', '.hif', '.jxl', '.jp2', '.j2k',
                  '.j2c', '.jpc', '.jpf', '.jpx', '.ppm', '.pgm', '.pbm', '.pnm', '.pfm')
#: Endings of pictures of other kinds, which are named where they are passed over: raw files of
#: cameras, drawings, and what no photograph is kept in.
UNREAD_SUFFIXES = ('.3fr', '.ai', '.arw', '.avci', '.bay', '.bpg', '.cr2', '.cr3', '.crw', '.cur',
                   '.dcm', '.dcr', '.dcs', '.dcx', '.dds', '.djvu', '.dng', '.drf', '.emf', '.eps',
                   '.erf', '.exr', '.fff', '.fits', '.flif', '.fts', '.gpr', '.hdr', '.icb',
                   '.icns', '.ico', '.iiq', '.insp', '.jls', '.jng', '.jpm', '.jps', '.jxr', '.k25',
                   '.kdc', '.livp', '.mdc', '.mef', '.mos', '.mrw', '.nef', '.nrw', '.orf', '.pam',
                   '.pcd', '.pct', '.pcx', '.pef', '.pict', '.pns', '.psb', '.psd', '.ptx', '.pxn',
                   '.qoi', '.raf', '.ras', '.raw', '.rgb', '.rgba', '.rw2', '.rwl', '.rwz', '.sgi',
                   '.sr2', '.srf', '.srw', '.svg', '.svgz', '.tga', '.vda', '.vst', '.wbmp', '.wdp',
                   '.wmf', '.wp2', '.x3f', '.xbm', '.xcf', '.xpm')
#: The same of videos: of camcorders, telephones and recorders.
UNREAD_VIDEO_SUFFIXES = ('.3g2', '.3gp', '.asf', '.avchd', '.braw', '.dav', '.divx', '.dv', '.f4v',
                         '.flv', '.h264', '.h265', '.hevc', '.insv', '.lrv', '.m1v', '.m2ts',
                         '.m2v', '.mjpeg', '.mjpg', '.mpe', '.mts', '.mxf', '.ogm', '.ogv', '.qt',
                         '.r3d', '.tod', '.ts', '.vob')


def is_image(name: str) -> bool:
    """Tell an image file by the ending of its name, in any case.

    Example:
        >>> is_image('cam_a/0001.JPG'), is_image('notes.txt')
        (True, False)
    """
    return name.lower().endswith(IMAGE_SUFFIXES)
