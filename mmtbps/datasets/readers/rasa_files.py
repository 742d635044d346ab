"""Reader of annotations as RaSa has them, a file for each split."""

from mmtbps.datasets.annotations import split_in_name
from mmtbps.records import Entry, PairRecord, RecordError
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset


@DATASETS.register_module()
class RaSaFiles(TBPSDataset):
    """Reader of ``processed_data/{train,val,test}.json`` of `RaSa <https://arxiv.org/abs/2305.13653>`_.

    Records are those of CUHK-PEDES, ICFG-PEDES or RSTPReid, whose ``img_path`` became
    ``file_path``. All files number the same people. ``mmtbps convert-data --to rasa`` writes them.
    Arguments as in :class:`TBPSDataset`.
    """

    dataset_name = 'files of RaSa'
    split_files = {split: (f'processed_data/{split}.json',) for split in ('train', 'val', 'test')}
    image_folder = 'imgs'
    default_shared_ids = True
    how_to_get = ('mmtbps convert-data --to rasa makes them of a data set in its published layout. '
                  'docs/guides/data_sets.md shows the folders.')

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('file_path', str), captions=self.captions_of(entry),
                           person_id=entry.take('id', int), split=split_of(entry, self))
                for entry in annotation]

    def captions_of(self, entry: Entry) -> tuple:
        """Return the captions of a record."""
        return tuple(entry.take('captions', list))


def split_of(entry: Entry, dataset: TBPSDataset) -> str:
    """Return the split of a record in a file that holds one split.

    Args:
        entry: The record.
        dataset: That reads the file.

    Raises:
        RecordError: Record and name of the file say different splits, or neither says one.
    """
    stated, named = entry.take_or_none('split', str), split_in_name(dataset.reading.ann_file)
    if stated and named and stated != named:
        raise RecordError(f'{entry.where}: split {stated!r} in a file for {named!r}')
    if not (stated or named):
        raise RecordError(f'{entry.where}: neither a key split nor the name of the file says the '
                          'split (train, val or test)')
    return stated or named
