"""Maps that explain a model: similarity of words and patches, and the image tower's attention.

A model is trained on one feature a picture and one a text; that patches and words have comparable
features, too, is a by-product. After the last layer only the class token was ever trained, so the
other tokens' own states say nothing; what they hand to the class token does. A heat-map shows
similarity, not cause. Measured in docs/guides/explain.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor, nn

from mmtbps.errors import BadValue, UserError
from mmtbps.models import BaseNeck, Tower

if TYPE_CHECKING:
    from .torch_encoder import TorchEncoder

__all__ = ['CannotExplain', 'WordHeatMap', 'align_words', 'attention_rollout', 'rollout_map',
           'word_heat_map']

# Hyphens and apostrophes inside a word belong to it: T-shirt, woman's.
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


class CannotExplain(UserError, TypeError):
    """A model whose towers give no features of single patches or words."""


@dataclass(frozen=True, eq=False)
class WordHeatMap:
    """Similarities of the words of a sentence and the patches of a picture.

    Args:
        words: W words, as they stand in the text after the model's own cleaning of it.
        spans: (first, one past the last) character of each word in that text.
        grid: Rows and columns of patches.
        heat: ``(W, rows, columns)`` float32 cosine similarities of words and patches.
        total: ``(rows, columns)`` float32 cosine similarities of the whole sentence and patches.
    """

    words: list[str]
    spans: list[tuple[int, int]]
    grid: tuple[int, int]
    heat: np.ndarray
    total: np.ndarray


@torch.no_grad()
def word_heat_map(encoder: 'TorchEncoder', image: Image.Image, text: str) -> WordHeatMap:
    """Compute the similarity of every word and every patch, by one forward pass of each tower.

    A patch has the feature that the picture would have if the last layer looked at it alone; a
    word that of the text, less what the special tokens, which say no word, have on average. A word
    of several tokens has their mean.

    Args:
        encoder: The searcher's encoder; its image tower must be a Transformer over patches, such as
            ``OverlapViT``, ``CLIPVisionTower`` or ``SigLIPVisionTower``.
        image: A crop of a person, RGB.
        text: A description. Words beyond the tokenizer's length are not in the result.

    Raises:
        CannotExplain: The encoder has no towers of tokens, as an exported model or a ResNet.
        BadValue: There is no word in the text, or the pipeline's images do not fit the tower.
    """
    model = _towers(encoder, 'single_token_features', 'image_backbone', 'text_backbone')
    text = encoder.tokenize.clean_text(text)
    token_spans = _token_spans(encoder, text)
    words = align_words(text, token_spans)
    if not words:
        raise BadValue(f'there is no word in the text {text!r}')
    tokens, sentence = _read(model.text_backbone, model.text_neck,
                             *encoder.prepare_texts([text]))
    special = [place for place, (first, last) in enumerate(token_spans) if first == last]
    wordless = tokens[special].mean(0) if special else 0
    named = torch.stack([tokens[members].mean(0) - wordless for _, members in words])

    images = encoder.prepare_images([image])
    rows, columns = grid = _grid(model.image_backbone, images)
    patches, _ = _read(model.image_backbone, model.image_neck, images)
    heat = F.normalize(torch.cat([named, sentence]), dim=-1) @ patches[-rows * columns:].T
    heat = heat.view(-1, rows, columns).cpu().numpy()
    spans = [span for span, _ in words]
    return WordHeatMap([text[first:last] for first, last in spans], spans, grid, heat[:-1],
                       heat[-1])


@torch.no_grad()
def rollout_map(encoder: 'TorchEncoder', image: Image.Image) -> np.ndarray:
    """Compute the share of each patch in a picture's feature, by attention alone.

    Args:
        encoder: As in `word_heat_map`.
        image: A crop of a person, RGB.

    Returns:
        ``(rows, columns)`` float32 shares of the patches; what they lack to 1 is a class token's
        own.

    Raises:
        CannotExplain: As `word_heat_map`.
    """
    tower = _towers(encoder, 'attention_of', 'image_backbone').image_backbone
    images = encoder.prepare_images([image])
    rows, columns = _grid(tower, images)
    tokens, attentions = tower.embed(images), []
    for layer in range(tower.depth):
        attentions.append(tower.attention(tokens, layer)[0])
        tokens = tower.run(tokens, layer, layer + 1)
    shares = attention_rollout(attentions, tower.read_shares(tokens)[0])
    return shares[-rows * columns:].view(rows, columns).float().cpu().numpy()


def attention_rollout(attentions: Sequence[Tensor], token: int | Tensor = 0) -> Tensor:
    """Compute the share of each input token in what is read after all layers.

    Quantifying Attention Flow in Transformers, https://arxiv.org/abs/2005.00928, section 3.1: the
    mean attention of the heads, half and half with the identity for the residual connection,
    multiplied through the layers. It knows nothing of values, norms and feed-forward layers.

    Args:
        attentions: One ``(heads, T, T)`` a layer, first layer first; row i is what token i
            attends to. Rows are normalised here.
        token: Place of the one token that is read, 0 for a class token; or ``(T,)`` shares of all
            tokens in the feature, as an attention pool reads them.

    Returns:
        ``(T,)`` non-negative shares, of sum 1.

    Raises:
        ValueError: There is no layer.

    Example:
        >>> attention_rollout([torch.full((1, 2, 2), .5)] * 2)
        tensor([0.6250, 0.3750])
    """
    if not len(attentions):
        raise ValueError('attention roll-out needs the attention of at least one layer')
    # From the last layer to the first a row stays a row: T x T products are never needed.
    shares = token
    if not isinstance(token, Tensor):
        shares = torch.eye(attentions[0].shape[-1]).to(attentions[0])[token]
    for weights in reversed(attentions):
        mean = weights.mean(0)
        shares = (shares + shares @ (mean / mean.sum(-1, keepdim=True))) / 2
    return shares


def align_words(text: str, token_spans: Sequence[tuple[int, int]]
                ) -> list[tuple[tuple[int, int], list[int]]]:
    """Find the words of a text and the tokens that make each of them.

    Args:
        text: A sentence.
        token_spans: (first, one past the last) character of each token; (0, 0) for special ones.

    Returns:
        The span of each word and the places of its tokens. Punctuation is no word, but a hyphen
        or an apostrophe inside a word belongs to it. Words without a token are left out.

    Example:
        >>> align_words('A T-shirt.', [(0, 0), (0, 1), (2, 3), (3, 4), (4, 9), (9, 10), (0, 0)])
        [((0, 1), [1]), ((2, 9), [2, 3, 4])]
    """
    words = []
    for match in _WORD.finditer(text):
        first, last = match.span()
        members = [place for place, (start, end) in enumerate(token_spans)
                   if start < last and end > first]
        if members:
            words.append(((first, last), members))
    return words


def _token_spans(encoder: 'TorchEncoder', text: str) -> list[tuple[int, int]]:
    """Return the (first, one past the last) character of each token of the text tower."""
    return _tokenizer(encoder.tokenize).encode(text).offsets


@lru_cache(maxsize=1)  # a vocabulary takes longer to read than a heat-map to compute
def _tokenizer(transform: Any) -> Tokenizer:
    tokenizer = Tokenizer.from_str(transform.tokenizer_state())
    tokenizer.enable_truncation(transform.max_length)
    return tokenizer


def _read(tower: Tower, neck: BaseNeck, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Compute unit features ``(P, D)`` of the tokens of one input, and ``(1, D)`` of all of it."""
    tokens = tower.run(tower.embed(*inputs), 0, tower.depth - 1)
    single = tower.single_token_features(tokens)[0]
    whole = tower.pool(tower.run(tokens, tower.depth - 1, read_only=True))
    return tuple(F.normalize(neck.project(feature).float(), dim=-1) for feature in (single, whole))


def _towers(encoder: 'TorchEncoder', method: str, *names: str) -> nn.Module:
    """Return the encoder's model, or refuse it if a named tower has no such method of its own."""
    model = getattr(encoder, 'model', None)
    for name in names:
        tower = getattr(model, name, None)
        if (not isinstance(tower, Tower) or not tower.depth
                or getattr(type(tower), method) is getattr(Tower, method)):
            what = f'{name} {type(tower).__name__}' if model else 'an encoder without a model'
            raise CannotExplain(f'{type(encoder).__name__} cannot be explained: {what} gives no '
                                'features of single patches or words; use the model it was '
                                'exported from, with a Transformer over patches as image tower')
    return model


def _grid(tower: Tower, images: Tensor) -> tuple[int, int]:
    """Return rows and columns of patches of a batch of images."""
    if tower.grid is None:
        raise CannotExplain(f'{type(tower).__name__} has no grid of patches to show')
    if tower.image_size not in (None, tuple(images.shape[-2:])):
        raise BadValue(f'the test pipeline makes images of {tuple(images.shape[-2:])} pixels, '
                       f'but the image tower is for {tower.image_size}')
    return tower.grid
