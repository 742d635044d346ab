"""Annotation files: finding them, naming them by their content, choosing a split."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import AnyPath, as_path, is_remote, open_bytes
from mmtbps.records import PairRecord

from .packed import SUFFIX, image_path

_SPLITS = ('train', 'val', 'test')


class Source(NamedTuple):
    """An annotation file, by the user's name for it and by its path, and the folder of its images.

    The folder may be one of packed images, see :mod:`mmtbps.datasets.packed`; and both may lie in
    an object store.
    """

    name: str
    ann_file: AnyPath
    images: AnyPath

    @property
    def has_lines(self) -> bool:
        """Tell a file of JSON objects, one a line, from one of another form."""
        return self.ann_file.suffix.lower() == '.jsonl'


class Identity(NamedTuple):
    """A person: the annotation file that numbers them, and the id there."""

    file: Path
    id: int


class LocatedRecord(NamedTuple):
    """A record with its place: annotation file and ``number`` from 1, in JSONL that of the line.

    ``identity`` is the person, and ``original`` the one on the image that a generated pair was made
    from; `mmtbps.datasets.people.number_people` fills them in.
    """

    record: PairRecord
    source: Source
    number: int
    identity: Identity | None = None
    original: Identity | None = None

    @property
    def image_path(self) -> str:
        """Path of the image, in a folder or packed."""
        return image_path(self.source.images, self.record.image)

    @property
    def query_paths(self) -> list[str] | None:
        """Paths of the pictures that composed queries begin from, one for each caption."""
        images = self.record.query_images
        return None if images is None else [image_path(self.source.images, image)
                                            for image in images]

    def with_captions(self, places: Sequence[int]) -> 'LocatedRecord':
        """Return this record with some of its captions.

        Args:
            places: Of the captions that stay, from 0.
        """
        record = self.record
        if len(places) == len(record.captions):
            return self
        captions = tuple(record.captions[place] for place in places)
        pictures = record.query_images and tuple(record.query_images[place] for place in places)
        return self._replace(record=replace(record, captions=captions, query_images=pictures))


def find_sources(data_root: str, names: Sequence[str], prefixes: Sequence[str],
                 aliases: Sequence[str], how_to_get: str,
                 remedy: Remedy | None = None) -> list[Source]:
    """Find the annotation files ``names`` with their image folders, all of which must exist.

    Args:
        data_root: Folder that relative names and prefixes start from, or its address in an object
            store.
        names: Annotation files. A pattern (``*``, ``?``, ``[ab]``) stands for all that match,
            sorted.
        prefixes: Image folder of each, or one for all. Where there is none of that name but one
            of packed images (``imgs.tars`` for ``imgs``), that one stands for it.
        aliases: Names under which one and the same file is published; any of them stands for
            the others.
        how_to_get: Sentence that ends the error when something is missing.
        remedy: Command that makes what is missing.

    Raises:
        MissingFile: Naming the missing file or folder.
        BadValue: If there are neither one nor ``len(names)`` prefixes.
    """
    if len(prefixes) == 1:
        names = [found for name in names for found in _expand(data_root, name, aliases)]
        prefixes = [*prefixes] * len(names)
    if len(prefixes) != len(names):
        raise BadValue(f'data_prefix has {len(prefixes)} image folders for {len(names)} '
                       'annotation files: give one for all, or one for each')
    sources = []
    for name, prefix in zip(names, prefixes, strict=True):
        tried = list(dict.fromkeys([name, *aliases] if name in aliases else [name]))
        paths = [as_path(data_root, candidate) for candidate in tried]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            missing = ' or '.join(map(str, paths))
            raise MissingFile(f'Annotation file {missing} not found. {how_to_get}', remedy)
        images = as_path(data_root, prefix)
        packed = as_path(f'{images}{SUFFIX}')
        if not images.is_dir() and packed.is_dir():
            images = packed
        if not images.is_dir():
            raise MissingFile(
                f'Image folder {images} of {path} not found. {how_to_get}', remedy)
        sources.append(Source(path.name if name in aliases else name, path, images))
    return sources


def _expand(data_root: str, name: str, aliases: Sequence[str]) -> list[str]:
    """Return the names that match a pattern, or another alias of it; the name itself if none do."""
    for pattern in [name, *aliases] if name in aliases else [name]:
        if as_path(data_root, pattern).is_file():
            return [name]
        if found := sorted(_match(data_root, pattern)):
            return found
    return [name]


def _match(data_root: str, pattern: str) -> list[str]:
    if not is_remote(data_root):
        return glob(pattern, root_dir=data_root or None)
    folder, _, name = pattern.rpartition('/')
    place = as_path(data_root, folder)
    return [f'{folder}/{path.name}'.lstrip('/') for path in place.glob(name)
            ] if set('*?[') & set(name) and place.is_dir() else []


def sha256(path: AnyPath) -> str:
    """Compute the hex digest of a file, by which a result names its annotations."""
    digest = hashlib.sha256()
    with open_bytes(path) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def split_in_name(path: AnyPath) -> str | None:
    """Find the split in the name of an annotation file, else in that of its folder.

    >>> split_in_name(Path('data/finetune/cuhk_val.json'))
    'val'
    >>> split_in_name(Path('annotation/test/attr.json'))
    'test'
    """
    for name in (path.stem, path.parent.name):
        found = {word for word in re.split('[^a-z]+', name.lower()) if word in _SPLITS}
        if len(found) == 1:
            return found.pop()
    return None


def select_split(located: Sequence[LocatedRecord], split: str, holdout: float,
                 seed: int) -> list[LocatedRecord]:
    """Select the records of one split, where ``val`` may be held out of the people of ``train``.

    Held-out people never depend on the order of the file. Pairs generated from their images leave
    ``train`` too; a held-out ``val`` has real pairs only. ``test`` is as the file has it.

    Args:
        located: Records of all splits.
        split: Wanted split.
        holdout: 0 to take the file's splits; below 1 a fraction, otherwise a number of people.
        seed: Seed of the choice of people who are held out.

    Raises:
        BadValue: If there is no such split, or nothing sensible to hold out.
    """
    splits = Counter(item.record.split for item in located)
    listing = ', '.join(f'{name!r} ({count} records)' for name, count in splits.items()) or 'none'
    if not holdout or split not in ('train', 'val'):
        if split not in splits:
            hint = '; `holdout=0.1` makes one of people of train' if split == 'val' else ''
            raise BadValue(f'split {split!r} is in none of the annotation files; '
                           f'splits: {listing}{hint}')
        return [item for item in located if item.record.split == split]
    if 'val' in splits:
        raise BadValue(f'holdout={holdout}, but the annotation files have a val split of their '
                       f'own (splits: {listing}); set holdout=0')
    train = [item for item in located if item.record.split == 'train']
    held_out = _choose_people(train, holdout, seed)
    people = {item.identity for item in train if item.record.person_id in held_out} - {None}
    if split == 'val':
        return [item for item in train
                if item.record.person_id in held_out and item.record.source is None]
    return [item for item in train
            if item.record.person_id not in held_out and item.original not in people]


def _choose_people(train: Sequence[LocatedRecord], holdout: float, seed: int) -> set[int]:
    people = sorted({item.record.person_id for item in train if item.record.source is None})
    count = max(1, round(holdout * len(people))) if 0 < holdout < 1 else int(holdout)
    if not 0 < count < len(people):
        raise BadValue(f'holdout={holdout} would hold {count} of the {len(people)} people of '
                       'train out; at least one must be held out and at least one must stay')
    return set(np.random.default_rng(seed).choice(people, count, replace=False).tolist())
