"""Image files of unknown origin: found without leaving their folder, read without trusting them."""

import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from PIL import Image

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import IMAGE_SUFFIXES, MAX_PIXELS, AnyPath, RemotePath
from mmtbps.fileio.packed_addresses import SUFFIX, is_packed_name, member_address
from mmtbps.fileio.pictures import BadPicture, decode_picture

__all__ = ['MAX_BYTES', 'MAX_PIXELS', 'MissingFolder', 'UnreadableImage', 'decode_image',
           'find_files', 'is_excluded', 'is_passed_over', 'list_images', 'read_bytes', 'read_image']

MAX_BYTES = 50 * 2**20
_LINK = 'a symbolic link is not followed'
_UNLISTED = 'cannot be listed'
#: Names in lower case of what Synology, QNAP, Windows, macOS and Linux keep for themselves: copies,
#: thumbnails, and what was deleted.
_SYSTEM_FOLDERS = ('#recycle', '#snapshot', '$recycle.bin', '@eadir', '@recently-snapshot',
                   '@recycle', '@sharebin', '@sharesnap', '@tmp', '__macosx', 'found.000',
                   'lost+found', 'network trash folder', 'recycled', 'recycler',
                   'system volume information', 'temporary items')


class MissingFolder(UserError, NotADirectoryError):
    """A folder that was named and is not there, or is none."""


class UnreadableImage(BadValue):
    """An image that is refused or cannot be read.

    Args:
        path: Of the file.
        reason: Half a sentence.

    Attributes:
        path: As text.
        reason: The same.
    """

    def __init__(self, path: str | os.PathLike, reason: str) -> None:
        super().__init__(f'{path}: {reason}')
        self.path = str(path)
        self.reason = reason

    def __reduce__(self) -> tuple:
        return type(self), (self.path, self.reason)


def read_image(path: str | os.PathLike, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS,
               on_note: Callable[[str], None] | None = None) -> Image.Image:
    """Read a photograph as RGB, as a person sees it.

    Args:
        path: A file of a format that `decode_picture` reads.
        max_bytes: A larger file is refused unread.
        max_pixels: An image with more is refused by its header, before anything is decoded.
        on_note: Called with what is odd about an image that could be read.

    Raises:
        UnreadableImage: The file is missing, too large, broken, or no image; with the reason.
    """
    return decode_image(read_bytes(path, max_bytes), path, max_pixels, on_note)


def read_bytes(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> bytes:
    """Read the content of a regular file, or one of an object store, of at most ``max_bytes``.

    Args:
        path: Of the file; that of an image in a shard goes through it as through a folder.
        max_bytes: A larger file is refused.

    Raises:
        UnreadableImage: It is missing, larger or no regular file.
    """
    if not isinstance(path, str):  # a text may be a stranger's, and names no store
        path = member_address(path)
        if isinstance(path, RemotePath):
            return _read_remote(path, max_bytes)
    if not os.path.isfile(path):  # to open a pipe would wait for ever
        raise UnreadableImage(path, 'no such file')
    try:
        with open(path, 'rb') as file:
            large = os.fstat(file.fileno()).st_size > max_bytes
            data = b'' if large else file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableImage(path, error.strerror or str(error)) from error
    if large or len(data) > max_bytes:
        raise UnreadableImage(path, f'larger than {max_bytes / 2**20:g} MiB')
    return data


def _read_remote(path: RemotePath, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise UnreadableImage(path, f'larger than {max_bytes / 2**20:g} MiB')
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(path, str(error).removeprefix(f'{path}: ')) from error
    if len(data) > max_bytes:  # a web server need not say the size
        raise UnreadableImage(path, f'larger than {max_bytes / 2**20:g} MiB')
    return data


def decode_image(data: bytes, path: str | os.PathLike = 'image', max_pixels: int = MAX_PIXELS,
                 on_note: Callable[[str], None] | None = None) -> Image.Image:
    """Decode the content of an image file as RGB, as a person sees it.

    Args:
        data: As `read_bytes` reads it.
        path: Its name, for the error.
        max_pixels: An image with more is refused before it is decoded.
        on_note: Called with what is odd about an image that could be read.

    Raises:
        UnreadableImage: With the reason.
    """
    try:
        picture = decode_picture(data, max_pixels)
    except BadPicture as error:
        raise UnreadableImage(path, str(error)) from error
    if picture.note is not None and on_note is not None:
        on_note(picture.note)
    return picture.image


def list_images(folder: str | os.PathLike) -> list[Path]:
    """List the images below a folder, sorted; those `find_files` refuses are left out.

    Raises:
        MissingFolder: There is no such folder.
        UnreadableImage: The folder, or one below it, cannot be listed.
    """
    found = dict(find_files(folder, IMAGE_SUFFIXES))
    for path, reason in found.items():
        if reason and reason.startswith(_UNLISTED):
            raise UnreadableImage(path, reason)
    return sorted(path for path, reason in found.items() if reason is None)


def find_files(folder: str | os.PathLike, suffixes: Sequence[str], exclude: Sequence[str] = (),
               passed_over: list[Path] | None = None,
               unread: Mapping[str, str] | None = None,
               only: Collection[Path] | None = None,
               packed: dict[AnyPath, str | None] | None = None
               ) -> Iterator[tuple[AnyPath, str | None]]:
    """Walk a folder in a fixed order; names that begin with a dot are passed over.

    So are folders that a desktop or a network drive keeps for itself: thumbnails, waste bins.

    Args:
        folder: Where to look, sub-folders included; also a `RemotePath`.
        suffixes: Endings of the wanted names, in lower case.
        exclude: Patterns with ``*``, ``?`` and ``[...]`` of further files and folders to pass over,
            see `is_excluded`.
        passed_over: The system folders and what ``exclude`` fits are appended to this list.
        unread: Reason by ending, in lower case, of files that are named though none is read.
        only: Paths below the resolved folder; of other files, and folders without any of these,
            nothing is said. All by default.
        packed: Takes tar shards, parquet files and folders of packed images, each with None or the
            reason why it is refused.

    Yields:
        Path of each wanted file, and ``None`` or the reason why it is refused. Refused are
        symbolic links, which may lead out of the folder or show a file twice, anything else that
        is no regular file, and names that are no UTF-8; and each folder that cannot be listed.

    Raises:
        MissingFolder: There is no such folder.
    """
    root = (folder if isinstance(folder, RemotePath) else Path(folder)).resolve()
    if not root.is_dir():
        raise MissingFolder(f'{folder}: no such folder')
    passed = [] if passed_over is None else passed_over
    holders = {} if packed is None else packed
    if isinstance(root, RemotePath):
        yield from _find_remote(root, suffixes, exclude, passed, unread or {}, holders)
        return
    unlisted: list[OSError] = []
    above = {folder for path in only or () for folder in path.parents}

    def is_wanted(path: Path, system: Sequence[str] = ()) -> bool:
        if path.name.lower() in system or is_excluded(path, root, exclude):
            passed.append(path)
            return False
        return True

    for parent, folders, names in os.walk(root, onerror=unlisted.append):
        folders[:] = sorted(name for name in folders if not name.startswith('.')
                            and (only is None or Path(parent, name) in above)
                            and is_wanted(Path(parent, name), _SYSTEM_FOLDERS))
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                yield Path(parent, name), _LINK
            elif name.endswith(SUFFIX):
                holders[Path(parent, name)] = None
        for name in sorted(names):
            path, ending = Path(parent, name), os.path.splitext(name)[1].lower()
            known = name.lower().endswith(tuple(suffixes))
            if only is not None and path not in only:
                continue
            holds = is_packed_name(name) and not parent.endswith(SUFFIX)
            if name.startswith('.') or not (known or holds or ending in (unread or ())
                                            ) or not is_wanted(path):
                continue
            if holds:
                holders[path] = _refusal(path)
            elif known:
                yield path, _refusal(path)
            else:
                yield path, unread[ending]
    for error in unlisted:
        yield Path(error.filename or root), f'{_UNLISTED} ({error.strerror})'


def _find_remote(root: RemotePath, suffixes: Sequence[str], exclude: Sequence[str],
                 passed: list[AnyPath], unread: Mapping[str, str],
                 holders: dict[AnyPath, str | None]
                 ) -> Iterator[tuple[RemotePath, str | None]]:
    """Find files in an object store, which knows no folders, as `find_files` does."""
    folders: dict[PurePosixPath, bool] = {PurePosixPath(): True}

    def is_entered(folder: PurePosixPath) -> bool:
        if folder not in folders:
            is_passed = is_entered(folder.parent) and not folder.name.startswith('.') and (
                is_passed_over(root / folder, root, exclude))
            folders[folder] = (folders[folder.parent] and not folder.name.startswith('.')
                               and not is_passed)
            passed.extend([root / folder] if is_passed else [])
        return folders[folder]

    for path in root.files_below():
        below, ending = path.relative_to(root), path.suffix.lower()
        known, holder = path.name.lower().endswith(tuple(suffixes)), _holder(path, root)
        if path.name.startswith('.') or not (known or holder or ending in unread
                                             ) or not is_entered(below.parent):
            continue
        if is_excluded(path, root, exclude):
            passed.append(path)
        elif holder:
            holders[holder] = None
        elif root / below != path:
            yield path, 'its name has an empty part'
        else:
            yield path, None if known else unread[ending]


def _holder(path: RemotePath, root: RemotePath) -> RemotePath | None:
    """Return what holds images where a file is a shard, a parquet file or part of a packed folder.
    """
    if not is_packed_name(path.name):
        return None
    folders = [above for above in path.parents
               if above.name.endswith(SUFFIX) and above.is_relative_to(root)]
    return folders[-1] if folders else path


def is_passed_over(folder: AnyPath, root: AnyPath, patterns: Sequence[str]) -> bool:
    """Tell whether a folder is one that a system keeps for itself, or excluded.

    >>> is_passed_over(Path('/photos/@eaDir'), Path('/photos'), [])
    True
    """
    return folder.name.lower() in _SYSTEM_FOLDERS or is_excluded(folder, root, patterns)


def is_excluded(path: AnyPath, root: AnyPath, patterns: Sequence[str]) -> bool:
    r"""Tell whether a pattern fits the name of a file or its path below a folder.

    A pattern may be written as a whole path, with ``/`` or ``**/`` before it and with ``\\``.

    Args:
        path: Below the folder.
        root: The folder.
        patterns: With ``*``, ``?`` and ``[...]``.

    Example:
        >>> [is_excluded(Path('/photos/a/b.jpg'), Path('/photos'), [pattern])
        ...  for pattern in ('b.*', 'a/*.jpg', '/photos/a/*', '**/a/**', 'A/*')]
        [True, True, True, True, False]
    """
    below, name = (unicodedata.normalize('NFC', part) for part in (
        path.relative_to(root).as_posix(), path.name))
    for pattern in patterns:
        plain = unicodedata.normalize('NFC', pattern).removeprefix('./').rstrip('/')
        for form in {plain, plain.replace('\\', '/')}:
            place = form.removeprefix(unicodedata.normalize('NFC', f'{root}/')).lstrip('/')
            if fnmatchcase(below, place) or fnmatchcase(below, form.removeprefix('**/')) or (
                    fnmatchcase(name, form)):
                return True
    return False


def _refusal(path: Path) -> str | None:
    try:
        if path.is_symlink():
            return _LINK
        if not path.is_file():
            return 'no regular file'
        str(path).encode()
    except UnicodeEncodeError:
        return 'its name is no UTF-8'
    except OSError as error:  # a folder that may be listed but not entered
        return error.strerror or str(error)
    return None
