"""Exchange of a training pair for one that was generated from it."""

import os
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.merged_pairs import PAIRS_FILE, MergeNote, file_sha256
from mmtbps.records import PairRecord, read_jsonl
from mmtbps.registry import TRANSFORMS

from ..images import find_missing_images
from ..packed import absolute_path, image_path


@TRANSFORMS.register_module()
class PDGTransform(BaseTransform):
    """Transform that puts a generated neighbour in the place of a training pair.

    Contrastive Transformer Learning with Proximity Data Generation for TBPS,
    https://arxiv.org/abs/2311.09084. Stands first in the pipeline, before ``LoadImageFromFile``;
    ``ApproximateTextGeneration`` and the rest follow as for any pair. The epoch keeps its length
    and its people, whereas a second annotation file (``ann_file=[..., 'pdg_pairs.jsonl']``) adds
    the generated pairs to it. Use one of the two, not both.

    The neighbour wears another colour, so the captions of the person are wrong for it and its own
    is wrong for the person: in a batch they must be negatives of each other. So the item takes the
    neighbour's person id as the merged file gives it, beyond every id of the data set; labels of
    real items run from 0 to C - 1, which is never beyond, so no two people share a number. All
    neighbours of one group (person, garment, new colour) share theirs and are positives of each
    other. A batch that holds nobody twice still does: each item is exchanged for an own neighbour.
    A head that classifies people over C classes has no class for these ids: give it the second
    annotation file instead. ``image_id`` becomes a number below 0, one for each generated image.

    **Required keys**: ``img_path``, ``caption``. An item with ``captions``, one for testing, passes
    through unchanged and takes no random number; any other takes exactly one number from the
    global numpy generator.

    **Modified keys**: ``img_path``, ``caption``, ``person_id``, ``image_id`` of an exchanged item,
    ``image_captions`` where it has them, and ``pair_weight``, where the file has one.

    Args:
        ann_file: ``pdg_pairs.jsonl``, as merging a generation run writes it.
        source_root: Image folder of the data set, which the file's ``source`` paths start from.
        img_root: Folder that the file's ``image`` paths start from; by default its own.
        prob: Probability that an item with neighbours is exchanged.
        allow_outside: Let the file name images outside these folders.

    Raises:
        MissingFile: If the file or a generated image is missing, or the first source image is not
            in ``source_root``.
        RecordError: If a record cannot be read, or names an image outside its folder.
        BadValue: If ``prob`` is out of its range, a record is not generated from another or not
            of split train, there is none, the file or its run has changed since it was merged, or
            the image is loaded already.

    Attributes:
        ann_files: SHA-256 of the file by its name, which a resumed run compares.
    """

    def __init__(self, ann_file: str, source_root: str, img_root: str | None = None,
                 prob: float = 0.5, allow_outside: bool = False) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        if not os.path.isfile(ann_file):
            raise MissingFile(f'{ann_file} not found; merging a generation run makes it',
                              Remedy('generate_merge'))
        folder, name = os.path.split(ann_file)
        note = MergeNote.read(folder) if name == PAIRS_FILE else None
        if note is not None:
            note.check_files(folder)
        self.ann_file, self.ann_files = ann_file, {name: file_sha256(ann_file)}
        self.source_root = source_root
        self.img_root = os.path.dirname(ann_file) if img_root is None else img_root
        self.prob = prob
        self._neighbours: dict[str, list[tuple[int, PairRecord]]] = {}
        for number, record in enumerate(read_jsonl(ann_file, allow_outside), start=1):
            if record.source is None or record.split != 'train' or not record.captions:
                raise BadValue(f'{ann_file}, record {number}: not a generated pair of split '
                               "'train' with 'source' and captions")
            self._neighbours.setdefault(self._key(record.source), []).append((number, record))
        if not self._neighbours:
            raise BadValue(f'{ann_file} holds no pairs: did the gates accept none?')
        first = next(iter(self._neighbours))
        if find_missing_images([first]):
            raise MissingFile(f'{first} not found: source_root={source_root!r} is not the '
                              f'image folder of the data set {ann_file} was made from')
        if note is not None:
            self._check_images()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'caption' not in results:
            return results
        if 'img' in results or 'input_ids' in results:
            raise BadValue(f'{results.get("img_path", "item")}: image or caption is read '
                           'already; put PDGTransform first in the pipeline')
        rng = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64))
        neighbours = self._neighbours.get(absolute_path(results['img_path']))
        if neighbours is None or rng.random() >= self.prob:
            return results
        number, record = neighbours[int(rng.integers(len(neighbours)))]
        results.update(img_path=image_path(self.img_root, record.image),
                       caption=record.captions[int(rng.integers(len(record.captions)))],
                       person_id=record.person_id, image_id=-number)
        if 'image_captions' in results:
            results.update(image_captions=record.captions)
        if record.pair_weight is not None:
            results.update(pair_weight=record.pair_weight)
        return results

    def _check_images(self) -> None:
        """Refuse pairs whose images are gone; those without a note may be of any origin."""
        images = [image_path(self.img_root, record.image)
                  for records in self._neighbours.values() for _, record in records]
        if missing := find_missing_images(images):
            raise MissingFile(f'{self.ann_file}: {len(missing)} of {len(images)} generated images '
                              f'are missing, first {min(missing)}: is img_root={self.img_root!r} '
                              'their folder?')

    def _key(self, source: str) -> str:
        return absolute_path(image_path(self.source_root, source))

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(ann_file={self.ann_file!r}, '
                f'source_root={self.source_root!r}, img_root={self.img_root!r}, '
                f'prob={self.prob})')
