"""Selection of the files of an index run."""

import os
from dataclasses import dataclass
from pathlib import Path

from mmtbps.errors import BadValue
from mmtbps.fileio import IMAGE_SUFFIXES, JobShard

from ..galleries.provenance import choose_images_root
from ..media.images import find_files

__all__ = ['FileSelection']


@dataclass(frozen=True, slots=True)
class FileSelection:
    """A folder or a file below the images' root, or a part of its files.

    Args:
        root: Folder that paths are relative to.
        source: The folder or the file, below it.
        shard: (i, n): the i-th of n parts.
        detected: Whether the people in the files have to be found; then videos count too.
    """

    root: Path
    source: Path
    shard: JobShard = JobShard(0, 1)
    detected: bool = False

    @classmethod
    def of(cls, uri: str, source: str | os.PathLike, shard: tuple[int, int],
           detected: bool, images: str | os.PathLike | None = None) -> 'FileSelection':
        """Select the files to index into a gallery; see `choose_images_root` for the errors."""
        shard = JobShard(*shard)
        if not 0 <= shard.index < shard.count:
            raise BadValue(f'shard {shard.index} of {shard.count}: the parts are 0 to '
                           f'{shard.count - 1}')
        return cls(choose_images_root(uri, source, images), Path(source).resolve(), shard, detected)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the files, in lower case."""
        if not self.detected:
            return IMAGE_SUFFIXES
        from ..media.videos import VIDEO_SUFFIXES
        return IMAGE_SUFFIXES + VIDEO_SUFFIXES

    def find(self) -> tuple[list[Path], list[tuple[str, str]]]:
        """Find the files, and path and reason of those refused.

        Raises:
            BadValue: There is none at all below the source, in any part; or the source is a file
                that is no image by its name.
        """
        if self.source.is_dir():
            found = list(find_files(self.source, self.suffixes))
        else:
            if not self.source.name.lower().endswith(self.suffixes):
                raise BadValue(f'{self.source}: no image by its name ({", ".join(self.suffixes)})')
            found = [(self.source, None)]
        if not found:
            raise BadValue(f'{self.source}: no file to index below it '
                           f'({", ".join(self.suffixes)})')
        mine = [(path, reason) for path, reason in found if self.holds(self.relative(path))]
        return ([path for path, reason in mine if reason is None],
                [(self.relative(path), reason) for path, reason in mine if reason is not None])

    def relative(self, path: str | os.PathLike) -> str:
        """Return a path as the gallery keeps it."""
        return Path(path).relative_to(self.root).as_posix()

    def holds(self, path: str) -> bool:
        """Tell whether a path of the gallery is one of this run, be it there or not."""
        whole = self.root / path
        if whole != self.source and self.source not in whole.parents:
            return False
        return self.shard.owns_name(path)
