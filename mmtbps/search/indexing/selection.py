"""Selection of the files of an index run."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath

from mmtbps.errors import BadValue, Remedy
from mmtbps.fileio import (
    IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    UNREAD_VIDEO_SUFFIXES,
    AnyPath,
    JobShard,
    as_path,
    is_image,
)
from mmtbps.fileio.packed_addresses import SUFFIX, images_place, is_packed_name
from mmtbps.fileio.packed_sources import list_packed

from ..galleries.base import BaseGallery
from ..media.base import VIDEO_SUFFIXES
from ..media.images import find_files, is_excluded, is_passed_over
from .images_root import choose_images_root
from .options import IndexOptions

__all__ = ['FileSelection', 'FoundFiles']

#: Reason by ending of the files that are named though none of their kind is read.
_UNREAD = {**dict.fromkeys(UNREAD_SUFFIXES, 'pictures of this kind are not read'),
           **dict.fromkeys(UNREAD_VIDEO_SUFFIXES, 'videos of this kind are not read')}


@dataclass(frozen=True)
class FoundFiles:
    """Files of a selection.

    Args:
        files: To be read, of this part.
        paths: Files of all parts, as the gallery keeps them.
        passed_over: System folders and what was excluded, in the same form.
        unused: Patterns of what to exclude that fit nothing.
        videos: In the same form, if the people are not looked for.
        packed: In the same form, shards and parquet files that are passed over because there are
            images beside them.
        refused: Reason by path of each file that is not read, and of each folder that is not
            looked into or could not be listed; of all parts.
        listed: Those of the refused that are shards whose other images are read.
    """

    files: list[AnyPath]
    paths: list[str]
    refused: dict[str, str]
    passed_over: list[str]
    unused: list[str]
    videos: list[str]
    packed: list[str]
    listed: frozenset[str] = frozenset()

    def __contains__(self, path: str) -> bool:
        return path in self._there

    @cached_property
    def _there(self) -> frozenset[str]:
        return frozenset(self.paths)

    @cached_property
    def _unseen(self) -> frozenset[str]:
        return frozenset((*self.refused, *self.packed)) - self.listed

    def is_gone(self, path: str) -> bool:
        """Tell whether a path is certainly not there: nothing above it was refused either."""
        if path in self or path in self._unseen:
            return False
        return not self._unseen or not any(
            str(folder) in self._unseen for folder in PurePosixPath(path).parents)


@dataclass(frozen=True, slots=True)
class FileSelection:
    """A folder or a file below the images' root, or a part of its files.

    The images in tar shards, parquet files and folders of packed images count as files of these,
    where the source is one, or a folder that holds no image by itself.

    Args:
        root: Folder that paths are relative to.
        source: The folder or the file, below it.
        shard: (i, n): the i-th of n parts.
        detected: Whether the people in the files have to be found; then videos count too.
        exclude: Patterns of files and folders to pass over, see `find_files`.
        only: Files below the source that are looked at; all by default.
    """

    root: AnyPath
    source: AnyPath
    shard: JobShard = JobShard(0, 1)
    detected: bool = False
    exclude: Sequence[str] = ()
    only: Collection[Path] | None = None

    @classmethod
    def of(cls, gallery: BaseGallery, source: str | os.PathLike, detected: bool,
           options: IndexOptions) -> 'FileSelection':
        """Select the files to index into a gallery; see `choose_images_root` for the errors."""
        shard = JobShard(*options.shard)
        if not 0 <= shard.index < shard.count:
            raise BadValue(f'shard {shard.index} of {shard.count}: the parts are 0 to '
                           f'{shard.count - 1}')
        return cls(choose_images_root(gallery, source, options.images),
                   images_place(source).resolve(), shard, detected, options.exclude, options.only)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the files, in lower case."""
        return IMAGE_SUFFIXES + VIDEO_SUFFIXES if self.detected else IMAGE_SUFFIXES

    @property
    def shard_named(self) -> str | None:
        """Path of the source, if it is a shard or a parquet file."""
        named = is_packed_name(self.source.name) and not self.source.is_dir()
        return self.relative(self.source) if named else None

    def find(self) -> FoundFiles:
        """Find the files.

        Raises:
            BadValue: There is none at all below the source, in any part; the source cannot be
                listed, or is a file that is no image by its name, or a part of packed images.
        """
        passed_over: list[AnyPath] = []
        listed: set[AnyPath] = set()
        packed: dict[AnyPath, str | None] = {}
        if self.source.is_dir():
            found = dict(find_files(self.source, IMAGE_SUFFIXES + VIDEO_SUFFIXES, self.exclude,
                                    passed_over, _UNREAD, self.only, packed))
        elif is_packed_name(self.source.name):
            if whole := next((above for above in self.source.parents
                              if above.name.endswith(SUFFIX)), None):
                raise BadValue(f'{self.source}: a part of the packed images of {whole}, which are '
                               'indexed as a whole; name that folder')
            found, packed = {}, {self.source: None}
        else:
            found = {self.source: None}
        if packed and not any(is_image(path.name) for path in found):
            found |= self._look_into(packed, passed_over, listed)
            packed = {}
        if (reason := found.get(self.source)) and len(found) == 1:
            raise BadValue(f'{self.source}: {reason}')
        paths = {self.relative(path): path for path, reason in found.items() if not reason}
        refused = {self.relative(path): reason for path, reason in found.items() if reason}
        videos = [] if self.detected else [
            name for name in paths if name.lower().endswith(VIDEO_SUFFIXES)]
        for name in videos:
            del paths[name]
        self._check(paths, refused, videos)
        return FoundFiles([path for name, path in paths.items() if self.holds(name)], list(paths),
                          refused, [self.relative(path) for path in passed_over],
                          [pattern for pattern in self.exclude if not any(
                              is_excluded(path, self.source, [pattern]) for path in passed_over)],
                          videos, [*map(self.relative, packed)],
                          frozenset(map(self.relative, listed)))

    def _look_into(self, packed: Mapping[AnyPath, str | None], passed_over: list[AnyPath],
                   listed: set[AnyPath]) -> dict[AnyPath, str | None]:
        """List the images in shards, parquet files and folders of packed images."""
        found: dict[AnyPath, str | None] = {}
        for place, refusal in packed.items():
            above: dict[AnyPath, AnyPath | None] = {}
            passed: dict[AnyPath, None] = {}
            before = len(found)
            for path, reason in [(place, refusal)] if refusal else list_packed(place):
                if path == place and (passed or len(found) > before):
                    listed.add(place)
                if path != place and (over := self._passed_over(path, place, above)):
                    passed[over] = None
                else:
                    found[path] = reason
            passed_over += passed
        return found

    def _passed_over(self, path: AnyPath, place: AnyPath,
                     known: dict[AnyPath, AnyPath | None]) -> AnyPath | None:
        """Return what is passed over of an image in a shard: it, or the highest such folder."""
        if path.parent not in known:
            inside = [*takewhile(lambda folder: folder != place, path.parents)]
            known[path.parent] = next((folder for folder in reversed(inside) if is_passed_over(
                folder, self.source, self.exclude)), None)
        return known[path.parent] or (
            path if is_excluded(path, self.source, self.exclude) else None)

    def _check(self, paths: Mapping[str, AnyPath], refused: Mapping[str, str],
               videos: Sequence[str]) -> None:
        """Refuse a source of which nothing can be indexed."""
        endings = ', '.join(self.suffixes)
        if videos and not paths:
            raise BadValue(f'{self.source}: {len(videos)} videos and no image ({endings}). The '
                           'people in videos are found by a detector', Remedy('name_detector'))
        nothing = set(refused.values()) <= {*_UNREAD.values()} or all(
            is_packed_name(path) for path in refused)
        if not paths and nothing:
            others = [f'{path}: {reason}' for path, reason in refused.items()]
            raise BadValue(f'{self.source}: no file to index below it ({endings})' + (
                f'; {len(others)} others, such as {others[0]}' if others else ''))
        if not self.source.is_dir() and not self.source.name.lower().endswith(
                self.suffixes) and not is_packed_name(self.source.name):
            raise BadValue(f'{self.source}: no image by its name ({endings})')

    def relative(self, path: str | os.PathLike) -> str:
        """Return a path as the gallery keeps it."""
        return as_path(path).relative_to(self.root).as_posix()

    def holds(self, path: str) -> bool:
        """Tell whether a path of the gallery is one of this run, be it there or not.

        What lies in a folder whose name begins with a dot, such as visitors' uploads, is not looked
        for from above, so that it is neither gone nor there.
        """
        whole = self.root / path
        if whole != self.source and self.source not in whole.parents:
            return False
        below = whole.relative_to(self.source).parts
        if any(part.startswith('.') and part != '..' for part in below):
            return False
        return self.shard.owns_name(path)
