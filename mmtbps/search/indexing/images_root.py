"""Root of a gallery's images: the folder that its paths are relative to."""

import os

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import AnyPath
from mmtbps.fileio.packed_addresses import images_place, member_address

from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.provenance import read_provenance
from .file_content import hash_file

__all__ = ['choose_images_root']

#: Known files that are looked for in a folder before it is taken for the one that has moved.
_LOOKED_FOR = 16


def choose_images_root(gallery: BaseGallery, source: str | os.PathLike,
                       images: str | os.PathLike | None = None) -> AnyPath:
    """Choose the folder that the paths of a gallery are relative to when ``source`` is indexed.

    The folder that is indexed first, or the one given as ``images``, is the root and stays it while
    folders below it are indexed. If it is gone, it has moved to the folder that holds its files. A
    gallery that notes none, as one on a server, is told by its files, too.

    Args:
        gallery: To index into.
        source: A folder, or a file in it; its address in an object store; a folder of packed
            images (``.tars``).
        images: The root, if it is not ``source``; ``source`` lies below it. Where the former root
            is gone, this one takes its place, whatever it holds.

    Raises:
        BadValue: If ``source`` lies outside the root, the gallery has another one, or the root is
            gone or not noted and ``source`` does not hold its files.
        MissingFile: If there is no ``source``.
    """
    source = images_place(source).resolve()
    if not source.exists():
        raise MissingFile(f'{source}: no such file or folder')
    folder = source if source.is_dir() else source.parent
    wanted = None if images is None else images_place(images).resolve()
    root, noted = wanted or folder, read_provenance(gallery).images
    if gallery.count():  # the note of an empty gallery binds nobody
        root = _settle_root(gallery, noted and images_place(noted).resolve(), root,
                            wanted is not None)
    if not folder.is_relative_to(root):
        raise BadValue(f'{folder} lies outside {root}, which the paths of {gallery.uri} are '
                       'relative to. Begin a new gallery for it; or one for both, whose images '
                       'folder is a folder above them', Remedy('images_folder'))
    if wanted not in (None, root):
        raise BadValue(f'the paths of {gallery.uri} are relative to {root}, not to {wanted}')
    return root


def _settle_root(gallery: BaseGallery, noted: AnyPath | None, new: AnyPath,
                 meant: bool) -> AnyPath:
    """Choose between the noted root and a folder that may be the same one at another place."""
    if noted is not None and noted.is_dir():
        inside = new.is_relative_to(noted)
        if inside or _holds_files(gallery, noted):
            return noted
        emptied = meant and not any(noted.iterdir())  # the place of a drive that is not there
        return new if emptied or _holds_files(gallery, new) else noted
    if meant or _holds_files(gallery, new):
        return new
    remedy = Remedy('images_folder', dict(folder=new))
    if noted is None:
        if not any(entry.sha256 for entry in gallery.entries()):
            return new  # a program's own entries, which no file can be compared with
        raise BadValue(f'{gallery.uri} does not say which folder its paths are relative to, and '
                       f'{new} does not hold its files: the people of the one would be replaced by '
                       f'those of the other. If {new} is meant', remedy)
    raise BadValue(f'{noted}, which the paths of {gallery.uri} are relative to, is gone, and '
                   f'{new} does not hold its files: the people of the one would be replaced by '
                   f'those of the other. Bring {noted} back, or begin a new gallery; if {new} '
                   'is meant to take its place', remedy)


def _holds_files(gallery: BaseGallery, folder: AnyPath) -> bool:
    """Tell whether at least half of some files of a gallery are in a folder, unchanged."""
    some = gallery.sample(_LOOKED_FOR)
    return 2 * sum(_is_unchanged(folder / entry.path, entry) for entry in some) >= len(some)


def _is_unchanged(path: AnyPath, entry: GalleryEntry) -> bool:
    """Tell whether a file is that of an entry: by size and time of change, or else by its hash."""
    try:
        path = member_address(path)
        if not path.is_file() or (now := path.stat()).st_size != entry.size:
            return False
        return now.st_mtime_ns == entry.mtime_ns or hash_file(path)[1] == entry.sha256
    except OSError:
        return False
