"""Errors of a gallery that is not there, does not answer, or is not what it was."""

from mmtbps.errors import BadValue, MissingFile, UserError

__all__ = ['RESTORE', 'GalleryChanged', 'GalleryClosed', 'GalleryDamaged', 'GalleryUnreadable',
           'NoGallery', 'NoServer', 'UnknownEntry']

#: The way out of damage.
RESTORE = 'Take the gallery from a backup or index the images again'


class NoGallery(MissingFile):
    """An address at which there is no gallery."""


class GalleryUnreadable(UserError, RuntimeError):
    """A gallery whose files are damaged or gone, or whose storage does not answer."""


class GalleryDamaged(GalleryUnreadable):
    """An entry, or a feature, that is not what was stored."""


class NoServer(UserError, ConnectionError):
    """An address at which no server lets the caller in."""


class UnknownEntry(UserError, KeyError):
    """An id that no entry of the gallery has."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote it


class GalleryChanged(BadValue):
    """A gallery that another process has made anew with another model since it was opened."""


class GalleryClosed(ValueError):
    """A gallery that is used after it was closed, by a fault of the program."""
