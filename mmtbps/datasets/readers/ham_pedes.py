"""Reader of HAM-PEDES."""

from mmtbps.registry import DATASETS

from .image_text_pairs import ImageTextPairs


@DATASETS.register_module()
class HAMPEDES(ImageTextPairs):
    """Reader of `HAM-PEDES <https://github.com/sssaury/HAM>`_: new captions of SYNTH-PEDES images.

    A million images of SYNTH-PEDES with two captions each, in the manner of many annotators. Its
    schema is not published; others' code reads an object ``{image: captions}`` from
    ``random100w_2HAMcaptions.json``, and so does this, as well as a list of records. The file is
    expected in the folder of SYNTH-PEDES. Each image is a person; ``people='folder'`` makes the
    images of each folder one (``Part1/7/1.jpg`` is the first of person 7). Arguments as in
    :class:`ImageTextPairs`.
    """

    dataset_name = 'HAM-PEDES'
    ann_files = ('random100w_2HAMcaptions.json',)
    how_to_get = ('HAM-PEDES is given out by its authors, see https://github.com/sssaury/HAM; its '
                  'images are those of SYNTH-PEDES. docs/guides/data_sets.md shows the folders.')
    forms = ('mapping', 'list')
