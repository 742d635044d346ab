"""Card of a folder for another library: its use in that library, and the notices of the model."""

from collections.abc import Mapping

from ..notices import NOTICES

__all__ = ['word_card']

_TAGS = '''---
library_name: {library}
tags:
- text-based-person-search
- text-to-image-retrieval
---

# Text-based person search, for {library}

A model that finds pictures of a person by a description, exported by mmtbps. The features are those
of mmtbps: on the pictures and sentences of the export the largest difference was {images:.1g} and
{captions:.1g}, of vectors of length 1. The score of a sentence and a picture is their dot product.

```python
{code}
```
{positions}
Use Pillow for pictures ({backend}): the resizing of torchvision gives other pixels.
Rare HTML entities and text that was read in a wrong encoding are cleaned by mmtbps, not by this
tokenizer.
{notices}'''
_TRANSFORMERS = '''import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

model = AutoModel.from_pretrained('this folder').eval()
processor = AutoProcessor.from_pretrained('this folder')
with torch.inference_mode():
    images = model.get_image_features(
        **processor(images=[Image.open('crop.jpg').convert('RGB')], return_tensors='pt'){option})
    texts = model.get_text_features(
        **processor(text=['a woman in a red coat'], return_tensors='pt', padding={padding!r},
                    truncation=True))
# transformers 5 returns an object that holds the features, transformers 4 the features
images, texts = (getattr(found, 'pooler_output', found) for found in (images, texts))
print(torch.nn.functional.normalize(texts) @ torch.nn.functional.normalize(images).T)'''
_SENTENCES = '''from PIL import Image
from sentence_transformers import SentenceTransformer

model = SentenceTransformer('this folder')
images = model.encode([Image.open('crop.jpg').convert('RGB')]{option})
texts = model.encode(['a woman in a red coat'])
print(model.similarity(texts, images))'''
_POSITIONS = '''
`interpolate_pos_encoding=True` belongs to every call with pictures: these are no squares, and the
library keeps positions as a square from which it makes those of the pictures, exactly here. Without
it the library raises an error.
'''


def word_card(library: str, padding: str, check: Mapping[str, float], resized_positions: bool,
              notices: bool) -> str:
    """Word the ``README.md`` of a folder.

    Args:
        library: ``'transformers'`` or ``'sentence-transformers'``.
        padding: of texts.
        check: largest differences of ``images`` and ``captions``.
        resized_positions: whether ``interpolate_pos_encoding=True`` is needed.
        notices: whether there are some.
    """
    sentences = library == 'sentence-transformers'
    option = ', interpolate_pos_encoding=True' if resized_positions else ''
    if option and not sentences:
        option = ',\n        interpolate_pos_encoding=True'
    code = (_SENTENCES if sentences else _TRANSFORMERS).format(option=option, padding=padding)
    return _TAGS.format(
        library=library, code=code, positions=_POSITIONS if resized_positions else '',
        backend="`processor_kwargs=dict(backend='pil')`" if sentences else
        "`backend='pil'` of `AutoImageProcessor` in transformers 5", **check,
        notices=f'\nLicences of the model and its tokenizer: `{NOTICES}`.\n' if notices else '')
