"""Reader of WebPerson."""

from mmtbps.registry import DATASETS

from .image_text_pairs import ImageTextPairs


@DATASETS.register_module()
class WebPerson(ImageTextPairs):
    """Reader of `WebPerson <https://arxiv.org/abs/2509.09118>`_: one or five million web images.

    ``100w.json`` (a million) is a list of ``{image: {caption1, caption2}}``, an object each; of the
    larger files only names are known, so give them as `ann_file`. Names that begin in a folder of
    the authors' machine need `strip_prefix`. Each image is a person. Arguments as in
    :class:`ImageTextPairs`.
    """

    dataset_name = 'WebPerson'
    ann_files = ('100w.json',)
    image_folder = 'images'
    how_to_get = ('WebPerson is at https://huggingface.co/datasets/Kaichengalex/WebPerson-5M. '
                  'docs/guides/data_sets.md shows the folders.')
    forms = ('list', 'mapping')
