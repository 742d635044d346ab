"""Readers of PAB."""

from mmtbps.datasets.annotations import split_in_name
from mmtbps.records import Entry, RecordError
from mmtbps.registry import DATASETS

from .image_text_pairs import ImageTextPairs


@DATASETS.register_module()
class PAB(ImageTextPairs):
    """Reader of `PAB <https://arxiv.org/abs/2411.17776>`_: people in ordinary and odd situations.

    A million generated images in ``annotation/train/attr_*.json`` and 1,978 photographs in
    ``annotation/test/attr.json``, of ``{image, caption, image_id, hard_i, hard_c, ..., normal or
    anomaly, scene}``; the files are called ``.json`` and hold a record a line (a list is read,
    too), and the file tells the split. Each image is a person, the only right answer to its
    caption; ``image_id``, which may count anew in train and test, is not read, nor are hard
    negatives (``hard_i``, ``hard_c``). Paths begin at the root of the data set. Only the files of
    the data set's own split are read. Arguments as in :class:`ImageTextPairs`.
    """

    dataset_name = 'PAB'
    split_files = {'train': ('annotation/train/attr_*.json',),
                   'test': ('annotation/test/attr.json',)}
    reads_own_split = True
    how_to_get = ('PAB is given out for research by the authors of CMP, see '
                  'https://github.com/Shuyu-XJTU/CMP. docs/guides/data_sets.md shows the '
                  'folders.')
    published_sizes = {'train': (1_013_605, 1_013_605, 1_013_605), 'test': (1978, 1978, 1978)}
    forms = ('lines', 'list')
    image_keys = ('image',)
    image_a_record = True
    caption_keys = ('caption',)

    def split_of(self, entry: Entry) -> str:
        split = entry.take_or_none('split', str) or split_in_name(self.reading.ann_file)
        if split is None:
            raise RecordError(f'{entry.where}: neither a key split nor the name of the file or its '
                              'folder says the split')
        return split


@DATASETS.register_module()
class PABUCC(PAB):
    """Reader of the second test set of PAB, with images of UCF-Crime: ``annotation/test/ucc.json``.

    Arguments as in :class:`ImageTextPairs`.
    """

    dataset_name = 'PAB UCC'
    split_files = {'test': ('annotation/test/ucc.json',)}
    published_sizes = {'test': (5320, 5320, 5320)}
