"""Queries: sentences as they are encoded, and what a model does not know or read of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon.query_text import has_word, normalize_query

from .base import Encoder, check_texts

__all__ = ['Query', 'fuse_features', 'read_queries']

_SHOWN = 60  # letters of a sentence in a message
#: A shorter sum of two unit features has no direction that means something.
_NOTHING_LEFT = 1e-4


@dataclass(frozen=True)
class Query:
    """A sentence that a gallery is asked by.

    Args:
        text: As it was asked.
        encoded: Normalised, which is what an encoder is handed.
        unknown: Words that the model does not know.
        read: Beginning that the model reads, cleaned as the model does it; None for all of it.
        unread: Rest, which it does not read.
    """

    text: str
    encoded: str
    unknown: tuple[str, ...] = ()
    read: str | None = None
    unread: str = ''

    @property
    def said(self) -> dict[str, Any]:
        """Words that the model does not know or read, by the names of a result's attributes."""
        return dict(unknown=self.unknown, read=self.read, unread=self.unread)


def read_queries(encoder: Encoder, texts: Sequence[str]) -> list[Query]:
    """Normalise sentences, and find what a model does not know or read of them.

    It stands before every encoder, in torch or as a graph, so that all of them are handed the same
    sentence, while captions of data sets are encoded as they are.

    Args:
        encoder: One without ``vocabulary`` or ``cut`` does not tell.
        texts: Sentences.

    Raises:
        TypeError: One is no string.
        BadValue: One has no word, none that the model knows, or is no valid Unicode.
    """
    check_texts(texts)
    return [_read(encoder, text) for text in texts]


def fuse_features(images: np.ndarray, texts: np.ndarray, image_weight: float) -> np.ndarray:
    """Fuse unit features of pictures and of sentences into those of queries.

    Args:
        images: ``(N, D)``, or ``(1, D)`` for one picture with every sentence.
        texts: ``(N, D)``.
        image_weight: Share of the pictures, 0 to 1.

    Returns:
        ``(N, D)`` unit features, whose scores rank as the weighted sum of both scores does.

    Raises:
        BadValue: Picture and sentence cancel each other out.

    Example:
        >>> fuse_features(np.float32([[1, 0]]), np.float32([[0, 1]]), .5).round(3).tolist()
        [[0.7070000171661377, 0.7070000171661377]]
    """
    fused = image_weight * images + (1 - image_weight) * texts
    lengths = np.linalg.norm(fused, axis=-1, keepdims=True)
    if lengths.min(initial=1) < _NOTHING_LEFT:
        raise BadValue('picture and sentence are opposite for this model, so that nothing is left '
                       'of both together; take another weight')
    return (fused / lengths).astype(np.float32)


def _read(encoder: Encoder, text: str) -> Query:
    plain, unknown, shown = normalize_query(text), (), ascii(text[:_SHOWN])
    if not has_word(plain):
        raise BadValue(f'a text to search by has no word: {shown}; describe the person')
    vocabulary = getattr(encoder, 'vocabulary', None)
    if vocabulary is not None:
        plain = vocabulary.split_special(plain)
        unknown, any_left = vocabulary.read(plain)
        if not any_left:
            raise BadValue(f'the model knows no word of {plain[:_SHOWN]!r}; describe the person '
                           'in a language that it was trained with')
    read, unread = None, ''
    for asked, part in getattr(encoder, 'cut', lambda texts: [])([plain]):
        read, unread = part, asked[len(part):].strip()
    return Query(text, plain, tuple(unknown), read, unread)
