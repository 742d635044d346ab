"""Card of a folder for another library: its use in that library, and the notices of the model."""

from collections.abc import Mapping

from ..notices import NOTICES
from .javascript_graphs import CLASSES
from .parts import FolderParts

__all__ = ['word_card']

_TAGS = '''---
library_name: {library}
{licence}tags:
- text-based-person-search
- text-to-image-retrieval
---

# Text-based person search, for {library}

A model that finds pictures of a person by a description, exported by mmtbps. The features are those
of mmtbps: on the pictures and sentences of the export the largest difference was {images:.1g} and
{captions:.1g}, of vectors of length 1. The score of a sentence and a picture is their dot product.

```{language}
{code}
```
{positions}
{backend}

mmtbps turns a picture as its EXIF says, and puts a transparent one on white. Rare HTML entities,
letters of another width and text that was read in a wrong encoding are cleaned by mmtbps, not by
this tokenizer.
{facts}{notices}'''
_TRANSFORMERS = '''import torch
from PIL import Image, ImageOps
from transformers import AutoModel, AutoProcessor

model = AutoModel.from_pretrained('this folder').eval()
processor = AutoProcessor.from_pretrained('this folder', backend='pil')
picture = ImageOps.exif_transpose(Image.open('crop.jpg')).convert('RGB')
with torch.inference_mode():
    images = model.get_image_features(
        **processor(images=[picture], return_tensors='pt'){option})
    texts = model.get_text_features(
        **processor(text=['a woman in a red coat'], return_tensors='pt', padding={padding!r},
                    truncation=True))
# transformers 5 returns an object that holds the features, transformers 4 the features
images, texts = (getattr(found, 'pooler_output', found) for found in (images, texts))
print(torch.nn.functional.normalize(texts) @ torch.nn.functional.normalize(images).T)'''
_SENTENCES = '''from PIL import Image, ImageOps
from sentence_transformers import SentenceTransformer

model = SentenceTransformer('this folder')
picture = ImageOps.exif_transpose(Image.open('crop.jpg')).convert('RGB')
images = model.encode([picture]{option})
texts = model.encode(['a woman in a red coat'])
print(model.similarity(texts, images))'''
_POSITIONS = '''
`interpolate_pos_encoding=True` belongs to every call with pictures: these are no squares, and the
library keeps positions as a square from which it makes those of the pictures, exactly here. Without
it the library raises an error.
'''


_JAVASCRIPT = '''import {{AutoProcessor, AutoTokenizer, RawImage, {vision},
        {text}}} from '@huggingface/transformers';

const folder = 'this folder';  // below env.localModelPath, or a name on the hub
const tokenizer = await AutoTokenizer.from_pretrained(folder);
const processor = await AutoProcessor.from_pretrained(folder);
const vision = await {vision}.from_pretrained(folder, {{dtype: 'fp32'}});
const text = await {text}.from_pretrained(folder, {{dtype: 'fp32'}});
const {{image_embeds}} = await vision(await processor([await RawImage.read('crop.png')]));
const {{text_embeds}} = await text(tokenizer(['a woman in a red coat'],
  {{padding: {js_padding}, truncation: true}}));
const [image, words] = [image_embeds, text_embeds].map(found => found.normalize().tolist()[0]);
console.log(image.reduce((sum, value, i) => sum + value * words[i], 0));'''
#: The hub takes no sentence for a licence, but a name and a file.
_OWN_LICENCE = f'license: other\nlicense_name: see-notices\nlicense_link: {NOTICES}\n'
_LICENCES = f'\nLicences of the model and its tokenizer: `{NOTICES}`.\n'
#: Code, option for pictures that are no squares, and the way to Pillow.
_USES = {
    'transformers': (_TRANSFORMERS, ',\n        interpolate_pos_encoding=True',
                     "`backend='pil'` lets Pillow resize, as here: torchvision, which "
                     'transformers 5 takes where it is\ninstalled, and other versions of Pillow '
                     'give pixels that differ by a grey level.'),
    'sentence-transformers': (_SENTENCES, ', interpolate_pos_encoding=True',
                              'Needs sentence-transformers 5.4 or later, with transformers 5; '
                              'with transformers 4 write `null` for\nboth `method_output_name` '
                              'of `sentence_bert_config.json`. Pillow resizes, as here; other '
                              'versions of it\ngive pixels that differ by a grey level.'),
    'transformers.js': (_JAVASCRIPT, '',
                        'JavaScript resizes pictures otherwise than Pillow: for features that are '
                        'equal, give pictures of\nthe size that `preprocessor_config.json` says.')}


def word_card(library: str, parts: FolderParts, check: Mapping[str, float],
              facts: Mapping[str, str], licence: str | None = None) -> str:
    """Word the ``README.md`` of a folder.

    Args:
        library: one of `FORMATS`.
        parts: of the folder.
        check: largest differences of ``images`` and ``captions``.
        facts: ``data``, ``metrics`` and ``licence`` in words, see `card_facts`; empty where they
            are not known.
        licence: its name on the hub, of the source's card; None where there is none.
    """
    javascript = library == 'transformers.js'
    resized = parts.resized_positions and not javascript
    code, option, backend = _USES[library]
    stated = f'license: {licence}\n' if licence else (
        _OWN_LICENCE if facts['licence'] else '')
    vision, text = CLASSES.get(parts.model_type, ('', ''))
    return _TAGS.format(
        library=library, licence=stated, language='js' if javascript else 'python',
        code=code.format(option=option if resized else '', padding=parts.padding, vision=vision,
                         text=text, js_padding='true' if parts.padding == 'longest' else
                         f'{parts.padding!r}'),
        positions=_POSITIONS if resized else '', backend=backend, **check,
        facts=''.join(f'\n## {title.capitalize()}\n\n{facts[title]}\n' for title in (
            'data', 'metrics') if facts[title]),
        notices=_LICENCES if facts['licence'] else '')
