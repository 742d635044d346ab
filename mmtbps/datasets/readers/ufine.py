"""Readers of UFine6926 and UFine3C."""

from mmtbps.records import Entry, PairRecord
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset

_HOW = ('It is given out on request by the authors of UFineBench, see '
        'https://github.com/Zplusdragon/UFineBench. docs/guides/data_sets.md shows the folders.')


@DATASETS.register_module()
class UFine6926(TBPSDataset):
    """Reader of `UFine6926 <https://arxiv.org/abs/2312.03441>`_, with captions of 81 words.

    A list of ``{split, id, file_path, captions}``; paths are ``images/1.jpg``, from the folder of
    the file. Two captions an image, longer than most text towers read. The sizes of the splits are
    not known here, that of all is checked. Where no record is in split ``val``, a tenth of the
    people of train is held out as ``val``. The name of the file is a guess after that of UFine3C;
    give another as `ann_file`. Arguments as in :class:`TBPSDataset`.
    """

    dataset_name = 'UFine6926'
    ann_files = ('UFine6926_Annotations.json', 'UFine6926.json')
    how_to_get = _HOW
    published_total = (6926, 26_206, 52_412)
    default_holdout = 0.1

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('file_path', str),
                           captions=tuple(entry.take('captions', list)),
                           person_id=entry.take('id', int),
                           split=entry.take('split', str)) for entry in annotation]


@DATASETS.register_module()
class UFine3C(TBPSDataset):
    """Reader of `UFine3C <https://arxiv.org/abs/2312.03441>`_, for testing alone.

    As in UFine6926, with 2 to 6 captions an image, and ``source``, which names the data set of the
    image and is no image that a pair was made from. Copies without ``split`` are ``test``. The
    authors' further measure mSD is not computed here. Arguments as in :class:`TBPSDataset`.
    """

    dataset_name = 'UFine3C'
    ann_files = ('UFine3C_Annotations.json', 'UFine3C.json')
    how_to_get = _HOW
    published_sizes = {'test': (2250, 7446, 37_939)}

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [PairRecord(image=entry.take('file_path', str),
                           captions=tuple(entry.take('captions', list)),
                           person_id=entry.take('id', int),
                           split=entry.take_or_none('split', str) or 'test')
                for entry in annotation]
