"""Reader of CUHK-PEDES."""

from mmtbps.records import Entry, PairRecord
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset


@DATASETS.register_module()
class CUHKPEDES(TBPSDataset):
    """Reader of `CUHK-PEDES <https://arxiv.org/abs/1702.05729>`_, ``reid_raw.json``.

    Images have two captions as a rule, some have more; ids count from 1. Records of
    ``pdg_cuhk.json``, which merging a generation run writes, have the key ``source``. Arguments as
    in :class:`TBPSDataset`.
    """

    dataset_name = 'CUHK-PEDES'
    ann_files = ('reid_raw.json',)
    image_folder = 'imgs'
    how_to_get = ('CUHK-PEDES is given out on request by its authors, see '
                  'https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description; '
                  'the annotation file is reid_raw.json (not caption_all.json). '
                  'docs/guides/prepare_data.md shows the folders.')
    published_sizes = {'train': (11003, 34054, 68126), 'val': (1000, 3078, 6158),
                       'test': (1000, 3074, 6156)}

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('file_path', str),
                           captions=tuple(entry.take('captions', list)),
                           person_id=entry.take('id', int),
                           split=entry.take('split', str),
                           source=entry.take_or_none('source', str),
                           pair_weight=entry.take_share_or_none('pair_weight'))
                for entry in annotation]
