"""The tokenizer of BERT that a model folder of a cross-encoder takes with it."""

import json
import os
from pathlib import Path

from mmtbps.errors import MissingFile
from mmtbps.pretrained import resolve_pretrained

__all__ = ['BERT_TOKENIZER', 'tokenizer_obstacle']

#: Where it lies unless it is named.
BERT_TOKENIZER = './weights/bert-base-uncased'
_FURTHER_TOKENS = 2  # of BLIP, beyond BERT's vocabulary: a caption's begin, and the fusion token


def tokenizer_obstacle(tokenizer: str, vocab_size: int) -> str:
    """Say why a tokenizer cannot go into the folder of a model; empty if it can.

    Args:
        tokenizer: folder or hub name.
        vocab_size: words that the text encoder knows.

    Example:
        >>> tokenizer_obstacle('google-bert/bert-base-uncased', 30522)
        ''
    """
    try:
        folder = Path(resolve_pretrained(tokenizer))
    except MissingFile:
        return (f'{tokenizer}, where the tokenizer of BERT should be, is not there: '
                'docs/guides/prepare_data.md#weights fetches it, and --tokenizer names another '
                'place')
    known = _count_words(folder) if os.path.isdir(folder) else None
    return '' if known in (None, vocab_size, vocab_size - _FURTHER_TOKENS) else (
        f'the tokenizer in {tokenizer} knows {known} words, the text encoder {vocab_size}; name '
        'the one that it was trained with by --tokenizer')


def _count_words(folder: Path) -> int | None:
    """Count the words of a tokenizer's folder; None where it does not tell."""
    words, whole = folder / 'vocab.txt', folder / 'tokenizer.json'
    if words.is_file():
        return len(words.read_text(encoding='utf-8').splitlines())
    if not whole.is_file():
        return None
    try:
        return len(json.loads(whole.read_text(encoding='utf-8'))['model']['vocab'])
    except (ValueError, KeyError, TypeError):
        return None
