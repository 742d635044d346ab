"""Reader of LUPerson-T."""

from mmtbps.records import Entry
from mmtbps.registry import DATASETS

from .image_text_pairs import ImageTextPairs


@DATASETS.register_module()
class LUPersonT(ImageTextPairs):
    """Reader of `LUPerson-T <https://github.com/ZhiyinShao-H/UniPT>`_: 0.95 million web images.

    Its Arrow files ``LUPerson_{train,restval,val,test}.arrow`` hold the images themselves, with
    ``caption`` (a list), ``image_id`` (a file name) and ``split``, of which ``restval`` counts as
    ``train``. ``mmtbps convert-data LUPerson_train.arrow OUT --each-image`` writes the images to
    files; the captions are then read from the ``pairs.jsonl`` beside them, or from the Arrow files
    with ``data_prefix``. The columns are those of the authors' code; the files themselves were not
    seen. Each image is a person. Arguments as in :class:`ImageTextPairs`.
    """

    dataset_name = 'LUPerson-T'
    split_files = {'train': ('LUPerson_train.arrow', 'LUPerson_restval.arrow'),
                   'val': ('LUPerson_val.arrow',), 'test': ('LUPerson_test.arrow',)}
    reads_own_split = True
    image_folder = 'images'
    how_to_get = ('LUPerson-T is given out by the authors of UniPT, see '
                  'https://github.com/ZhiyinShao-H/UniPT. docs/guides/data_sets.md shows how '
                  'its images become files.')
    forms = ('table', 'list')
    image_keys = ('image_id', 'image', 'file_path')

    def split_of(self, entry: Entry) -> str:
        split = super().split_of(entry)
        return 'train' if split == 'restval' else split
