"""Reader of annotations as APTM has them, a file for each split."""

from typing import Any

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.person_numbers import PersonNumbers
from mmtbps.records import Entry, PairRecord, RecordError
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset
from .rasa_files import split_of


@DATASETS.register_module()
class APTMFiles(TBPSDataset):
    """Reader of ``cuhk_{train,val,test}.json`` of `APTM <https://arxiv.org/abs/2306.02898>`_.

    Records are ``{image, caption, image_id}``, where ``image_id`` is the *person*. In train each
    caption has a record of its own; in val and test an image has one, with a list. All files number
    the same people. Those of ICFG-PEDES and RSTPReid begin with ``icfg_`` and ``rstp_``: give
    ``ann_file='icfg_*.json'``. Whether paths begin with ``imgs/`` is not known for all copies:
    `data_prefix` or `strip_prefix` fit them. ``mmtbps convert-data --to aptm`` writes such files.
    Arguments as in :class:`TBPSDataset`.
    """

    dataset_name = 'files of APTM'
    split_files = {split: (f'cuhk_{split}.json',) for split in ('train', 'val', 'test')}
    image_folder = 'imgs'
    image_a_record = False
    default_shared_ids = True
    how_to_get = ('mmtbps convert-data --to aptm makes them of a data set in its published layout. '
                  'docs/guides/data_sets.md shows the folders.')

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._numbers = PersonNumbers()
        super().__init__(*args, **kwargs)

    def read_records(self) -> list[LocatedRecord]:
        self._numbers = PersonNumbers()
        return super().read_records()

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('image', str), captions=_captions_of(entry),
                           person_id=self._numbers.take(entry, 'image_id'),
                           split=split_of(entry, self)) for entry in annotation]


def _captions_of(entry: Entry) -> tuple:
    caption = entry.raw.get('caption')
    if isinstance(caption, list):
        return tuple(caption)
    if 'caption' in entry.raw and caption is not None and not isinstance(caption, str):
        raise RecordError(f"{entry.where}: key 'caption' must be a caption or a list, got "
                          f'{caption!r}')
    return (entry.take('caption', str),)
