"""Reader of SYNTH-PEDES."""

import re
from typing import Any

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.records import Entry, PairRecord, RecordError
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset

_PART = re.compile('part_?[0-9]+', re.IGNORECASE)


@DATASETS.register_module()
class SYNTHPEDES(TBPSDataset):
    """Reader of `SYNTH-PEDES <https://github.com/Zplusdragon/PLIP>`_: web people, for pretraining.

    One list of ``{id, file_path, attributes, captions, prompt_caption}``; about 4.8 million images
    in folders ``Part1`` to ``Part11`` beside it, such as ``Part1/7/1.jpg``, with two or three
    captions each. ``prompt_caption`` is made of the attributes by a pattern. Nothing published says
    whether an ``id`` is another person in another part, so an id in two parts is refused until
    `ids_of_parts` says it. Further arguments as in :class:`TBPSDataset`.

    Args:
        prompt_captions: Add ``prompt_caption`` to the captions.
        ids_of_parts: Whether each part numbers people of its own. ``None`` refuses an id that
            stands in two.
        kwargs: Arguments of :class:`TBPSDataset`.
    """

    dataset_name = 'SYNTH-PEDES'
    ann_files = ('synthpedes-dataset.json', 'synthpedes_dataset.json')
    how_to_get = ('SYNTH-PEDES is given out for research by the authors of PLIP, see '
                  'https://github.com/Zplusdragon/PLIP. docs/guides/data_sets.md shows the '
                  'folders.')
    parse_size = 10_000

    def __init__(self, *args: Any, prompt_captions: bool = False,
                 ids_of_parts: bool | None = None, **kwargs: Any) -> None:
        self.prompt_captions, self.ids_of_parts = prompt_captions, ids_of_parts
        self._part_of: dict[int, str] = {}  # person -> part
        self._numbers: dict[tuple[str, int], int] = {}
        super().__init__(*args, **kwargs)

    def read_records(self) -> list[LocatedRecord]:
        self._part_of, self._numbers = {}, {}
        located = super().read_records()
        self._part_of, self._numbers = {}, {}
        return located

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('file_path', str), captions=self._captions(entry),
                           person_id=self._person(entry),
                           split=entry.take_or_none('split', str) or 'train')
                for entry in annotation]

    def _captions(self, entry: Entry) -> tuple:
        further = entry.take_or_none('prompt_caption', list) if self.prompt_captions else None
        return (*entry.take('captions', list), *(further or ()))

    def _person(self, entry: Entry) -> int:
        image = self.path_in_folder(entry.take('file_path', str), entry.where)
        person, part = entry.take('id', int), _part_in(image)
        if self.ids_of_parts:
            return self._numbers.setdefault((part, person), len(self._numbers))
        known = self._part_of.setdefault(person, part)
        if known != part and self.ids_of_parts is None:
            raise RecordError(
                f'{entry.where}: id {person} is in {part} and in {known}: set ids_of_parts=True in '
                'the data set if each part numbers people of its own, ids_of_parts=False if they '
                'are one person')
        return person


def _part_in(image: str) -> str:
    """Name the part of the data set by the path of an image, which may begin above its folder."""
    return next((name for name in image.split('/') if _PART.fullmatch(name)),
                image.partition('/')[0])
