"""Reader of RSTPReid."""

from mmtbps.records import Entry, PairRecord
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset


@DATASETS.register_module()
class RSTPReid(TBPSDataset):
    """Reader of `RSTPReid <https://github.com/NjtechCVLab/RSTPReid-Dataset>`_.

    Its file is ``data_captions.json``. Five images a person, two captions an image, of
    which a few in train are empty; ids count from 0; the image is under ``img_path``. Arguments as
    in :class:`TBPSDataset`.
    """

    dataset_name = 'RSTPReid'
    ann_files = ('data_captions.json',)
    image_folder = 'imgs'
    how_to_get = ('RSTPReid is given out by its authors, see '
                  'https://github.com/NjtechCVLab/RSTPReid-Dataset. '
                  'docs/guides/prepare_data.md shows the folders.')
    published_sizes = {'train': (3701, 18505, 37010), 'val': (200, 1000, 2000),
                       'test': (200, 1000, 2000)}

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('img_path', str),
                           captions=tuple(entry.take('captions', list)),
                           person_id=entry.take('id', int),
                           split=entry.take('split', str)) for entry in annotation]
