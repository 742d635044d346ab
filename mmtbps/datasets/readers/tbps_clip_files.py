"""Reader of annotations as TBPS-CLIP has them, with captions translated there and back."""

from typing import Any

from mmtbps.records import Entry, RecordError
from mmtbps.registry import DATASETS

from .rasa_files import RaSaFiles


@DATASETS.register_module()
class TBPSCLIPFiles(RaSaFiles):
    """Reader of ``{train,val,test}_reid.json`` of `TBPS-CLIP <https://arxiv.org/abs/2308.10045>`_.

    Records as in :class:`RaSaFiles`, in train with ``captions_bt``, a translation there and back of
    each caption. ``mmtbps convert-data --to tbps_clip`` writes such files, without translations
    where the source has none. Further arguments as in :class:`TBPSDataset`.

    Args:
        back_translations: Add them to the captions of their image.
        kwargs: Arguments of :class:`TBPSDataset`.
    """

    dataset_name = 'files of TBPS-CLIP'
    split_files = {split: (f'{split}_reid.json',) for split in ('train', 'val', 'test')}
    how_to_get = ('mmtbps convert-data --to tbps_clip makes them of a data set in its published '
                  'layout. docs/guides/data_sets.md shows the folders.')

    def __init__(self, *args: Any, back_translations: bool = False, **kwargs: Any) -> None:
        self.back_translations = back_translations
        super().__init__(*args, **kwargs)

    def captions_of(self, entry: Entry) -> tuple:
        captions = super().captions_of(entry)
        translated = entry.take_or_none('captions_bt', list)
        if translated is None:
            return captions
        if len(translated) != len(captions):
            raise RecordError(f"{entry.where}: key 'captions_bt' must have a translation of each "
                              f'of the {len(captions)} captions, got {len(translated)}')
        return (*captions, *translated) if self.back_translations else captions
