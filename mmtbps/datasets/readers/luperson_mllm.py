"""Reader of LUPerson-MLLM."""

from typing import Any

from mmtbps.registry import DATASETS

from .image_text_pairs import ImageTextPairs


@DATASETS.register_module()
class LUPersonMLLM(ImageTextPairs):
    """Reader of `LUPerson-MLLM <https://github.com/WentaoTan/MLLM4Text-ReID>`_: a million images.

    Four files ``T{s,d}-{qwen,shikra}.json``, each an object ``{image: caption}``, of two models
    with a fixed (``s``) and a varying (``d``) instruction; an image thus has up to four captions.
    Names may have folders, which differ between the files: the last part is the image, in one
    folder, as in the authors' code. Captions in which a model left its template
    (``'description]'`` or ``'<'``) are left out and counted; the authors put another caption of
    the image in their place. Each image is a person. Further arguments as in
    :class:`ImageTextPairs`.

    Args:
        flat: All images lie in one folder, whatever folders the names have.
        kwargs: Arguments of :class:`ImageTextPairs`.
    """

    dataset_name = 'LUPerson-MLLM'
    ann_files = ('captions/T[sd]-*.json', 'caption/T[sd]-*.json', 'T[sd]-*.json')
    image_folder = 'images'
    how_to_get = ('Its captions are at https://huggingface.co/datasets/TwT-6/LUPerson-MLLM-captions,'
                  ' its images are those of https://github.com/DengpanFu/LUPerson. '
                  'docs/guides/data_sets.md shows the folders.')
    forms = ('mapping', 'list')

    def __init__(self, *args: Any, flat: bool = True, **kwargs: Any) -> None:
        self.flat = flat
        super().__init__(*args, **kwargs)

    def name_image(self, image: str) -> str:
        return image.replace('\\', '/').rpartition('/')[2] if self.flat else image

    def fault_of(self, caption: str) -> str | None:
        if 'description]' in caption or '<' in caption:
            return 'caption with a template left in it'
        return super().fault_of(caption)
