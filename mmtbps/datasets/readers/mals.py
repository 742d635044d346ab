"""Reader of MALS."""

from mmtbps.registry import DATASETS

from .image_text_pairs import ImageTextPairs


@DATASETS.register_module()
class MALS(ImageTextPairs):
    """Reader of `MALS <https://arxiv.org/abs/2306.02898>`_ (1.5 million generated images).

    Files ``gene_attrs/g_*.json`` hold ``{image, caption, image_id, label}``: one caption an image,
    ``image_id`` a string that stands for the person and is another one for each image, 27
    attributes in ``label``, which are not read. Paths begin at the folder that has ``gene_crop``.
    All of it is for training. Arguments as in :class:`ImageTextPairs`.
    """

    dataset_name = 'MALS'
    ann_files = ('gene_attrs/g_*.json',)
    how_to_get = ('MALS is given out for research by the authors of APTM, see '
                  'https://github.com/Shuyu-XJTU/APTM. docs/guides/data_sets.md shows the '
                  'folders.')
    published_sizes = {'train': (1_510_330, 1_510_330, 1_510_330)}
    forms = ('list',)
    default_people = 'image_id'
    image_keys = ('image',)
    image_a_record = True
    caption_keys = ('caption',)
