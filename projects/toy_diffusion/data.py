"""Training data of the toy diffusion model: images, captions, and short phrases of them."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.lexicon import ColorMention, find_color_mentions, indefinite_article

__all__ = ['BODY_REGIONS', 'ToyPairs', 'balanced_weights', 'body_mentions', 'load_pairs',
           'short_phrase']

#: Regions of `mmtbps.lexicon.Garment` whose colour the model is asked to follow.
BODY_REGIONS = ('upper', 'lower', 'full')


@dataclass(frozen=True)
class ToyPairs:
    """Images with their captions, held in memory.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        captions: The captions of each image.
    """

    images: np.ndarray
    captions: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.captions)

    def head(self, count: int) -> 'ToyPairs':
        """Return the first ``count`` images."""
        return ToyPairs(self.images[:count], self.captions[:count])


def load_pairs(root: str | Path, split: str = 'train', size: tuple[int, int] = (64, 24),
               limit: int | None = None) -> ToyPairs:
    """Read a split of a data set in the layout of CUHK-PEDES.

    Args:
        root: Folder with ``reid_raw.json`` and ``imgs/``.
        split: ``train``, ``val`` or ``test``.
        size: Height and width the images are resized to.
        limit: At most so many images.

    Raises:
        MissingFile: If there is no ``reid_raw.json`` in the folder.
        BadValue: If the split is empty.
    """
    root = Path(root)
    annotation = root / 'reid_raw.json'
    if not annotation.is_file():
        raise MissingFile(f'{annotation}: no such file; draw a data set there first',
                          Remedy('draw_dataset', dict(root=root)))
    entries = [entry for entry in json.loads(annotation.read_text(encoding='utf-8'))
               if entry['split'] == split][:limit]
    if not entries:
        raise BadValue(f'{annotation}: no image of split {split!r}')
    images = np.empty((len(entries), *size, 3), np.uint8)
    for row, entry in zip(images, entries, strict=True):
        with Image.open(root / 'imgs' / entry['file_path']) as image:
            row[:] = image.convert('RGB').resize(size[::-1], Image.Resampling.BICUBIC)
    return ToyPairs(images, [tuple(entry['captions']) for entry in entries])


@lru_cache(maxsize=65536)   # the same captions come again and again while training
def body_mentions(caption: str) -> list[ColorMention]:
    """Find mentions of one basic colour each, of an upper, lower or full garment.

    >>> [m.noun for m in body_mentions('A man in a red shirt, black and white socks and jeans.')]
    ['shirt']
    """
    return [mention for mention in find_color_mentions(caption)
            if mention.region in BODY_REGIONS and len(mention.bases) == 1]


def short_phrase(captions: tuple[str, ...], rng: np.random.Generator) -> str:
    """Draw one or two colour-garment phrases of an image, or a caption if it has none.

    Short texts tie a colour word to a region much sooner than captions of thirty words do.

    >>> short_phrase(('The man wears a red shirt.',), np.random.default_rng(0))
    'a red shirt'
    """
    caption = captions[int(rng.integers(len(captions)))]
    phrases = [_phrase(caption, mention) for mention in body_mentions(caption)]
    if not phrases:
        return caption
    order = rng.permutation(len(phrases))[:int(rng.integers(1, 3))]
    return ' and '.join(phrases[i] for i in sorted(order))


def _phrase(caption: str, mention: ColorMention) -> str:
    text = caption[slice(*mention.span)].lower()
    plural = mention.noun is not None and mention.noun.endswith('s') and mention.noun != 'dress'
    return text if plural or mention.predicative else f'{indefinite_article(text)} {text}'


def balanced_weights(captions: list[tuple[str, ...]], power: float = 0.7) -> np.ndarray:
    """Compute sampling probabilities of images, so that rare colours are seen about as often.

    An image weighs the mean of ``frequency ** -power`` over the (region, colour words) pairs of
    its captions; an image without any weighs as much as the average.

    Returns:
        (N,) float64, sums to 1.
    """
    keys = [sorted({(mention.region, caption[slice(*mention.color)].lower())
                    for caption in texts for mention in body_mentions(caption)})
            for texts in captions]
    frequency = Counter(key for image in keys for key in image)
    weights = np.array([np.mean([frequency[key] ** -power for key in image]) if image else np.nan
                        for image in keys])
    filled = np.nan_to_num(weights, nan=np.nanmean(weights) if np.isfinite(weights).any() else 1.)
    return filled / filled.sum()
