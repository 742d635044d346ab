"""Tokenising of captions, in the workers."""

import hashlib
import json
import os
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue, MissingFile, MissingKey
from mmtbps.fileio import write_durably
from mmtbps.hub import hub_options
from mmtbps.lexicon.caption_cleaning import find_cleaning
from mmtbps.lexicon.tokenizer_vocabulary import TokenizerVocabulary
from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import TRANSFORMS

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

# How tokenizers mark the start, middle or end of a word in their vocabulary.
_WORD_MARKS = ('</w>', '##', 'Ġ', '▁')
_PROBE_WORDS = 64
#: CLIP's byte-level BPE, MIT licence. 49406 starts a caption, 49407 ends it; 0 pads and is ``!``.
#: A sentence that spells out ``<|endoftext|>`` means these letters. IRRA's masked language model
#: takes 49405 (the last word of the vocabulary, ``jekyll``) for its ``<|mask|>``.
CLIP_TOKENIZER = 'mmtbps://datasets/transforms/assets/clip'
#: Where an item has its words; ``text`` is what mmpretrain's inferencers call a query.
CAPTION_KEYS = ('caption', 'text', 'captions')


@cache
def load_tokenizer(name: str) -> 'PreTrainedTokenizerBase':
    """Load the fast tokenizer of a folder or hub name, once per process.

    Sets ``TOKENIZERS_PARALLELISM=false`` unless the variable is set: data loading is parallel by
    processes already, and threads would not survive the fork of the workers.

    Args:
        name: A folder with ``vocab.txt`` (or ``tokenizer.json``) and ``tokenizer_config.json``, or
            a name of the Hugging Face hub.

    Raises:
        MissingFile: If it is neither a folder here nor on the hub or in its cache.
        BadValue: If its files are no tokenizer, or one that knows no words.
    """
    os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
    from transformers import AutoTokenizer  # seconds to import, and only workers need it

    source = resolve_pretrained(name)
    is_folder = os.path.isdir(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True, **hub_options(source))
    except (OSError, ValueError) as error:
        if is_folder:
            raise BadValue(
                f'{name}: no tokenizer can be read from this folder, which holds '
                f'{sorted(os.listdir(source))}. It takes vocab.txt (or tokenizer.json) and '
                'tokenizer_config.json, as in the folder of the pretrained text model') from error
        raise MissingFile(
            f'{name}: neither a tokenizer folder here nor one that the Hugging Face hub or its '
            f'cache gives. With a network: `hf download {name} --local-dir <folder>`, then name '
            'that folder') from error
    _check_knows_words(tokenizer, name)
    return tokenizer


@cache
def _encoder(name: str, max_length: int) -> 'Tokenizer':
    """Return the encoder that a tokenizer of transformers, with ``truncation=True``, works with.

    Asked directly it gives the same tokens in half the time. It is a copy, so that transforms of
    other lengths do not set each other's.
    """
    tokenizer = load_tokenizer(name)
    encoder = deepcopy(tokenizer.backend_tokenizer)
    encoder.no_padding()
    encoder.enable_truncation(max_length, direction=tokenizer.truncation_side)
    encoder.encode_special_tokens = tokenizer.split_special_tokens
    return encoder


@TRANSFORMS.register_module()
class TokenizeCaption(BaseTransform):
    """Transform of the captions of an item into token ids, without padding.

    A caption that is too long loses its last words, never its end token (``[SEP]``), so that every
    sequence the text tower sees is closed.

    **Required keys**: ``caption`` or ``text`` (str), or ``captions`` (list of str).

    **Added keys**: ``input_ids``, a list of one 1-D int64 tensor for each caption; lengths differ.

    Args:
        tokenizer: See `load_tokenizer`. Loaded at the first item, in the process that needs it.
        max_length: Most tokens of a caption, special tokens included. CTLG uses 64, CLIP 77.
        clean: Name of the cleaning that goes before: ``'clip'`` (OpenAI CLIP, IRRA, RDE),
            ``'tbps_clip'``, ``'siglip'`` or ``'lower'`` (SigLIP 2), see
            `mmtbps.lexicon.caption_cleaning`. None by default.
        allow_unfit: Whether most tokens may be unknown, or most captions cut; a check before the
            training refuses it.

    Attributes:
        clean_text: Cleans one caption, before it is split into tokens.

    Raises:
        BadValue: If there is no such cleaning, or no room for a word.
        MissingFile: If ``tokenizer`` is a path (begins with ``.``, ``/`` or ``~``) to no
            folder; at creation.
        MissingKey: If an item has no caption.
        TypeError: If a caption is no text.

    Example:
        >>> TokenizeCaption('bert-base-uncased', max_length=64)
        TokenizeCaption(tokenizer='bert-base-uncased', max_length=64)
        >>> clip = TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip')
        >>> clip(dict(caption='A man in a RED coat'))['input_ids'][0].tolist()
        [49406, 320, 786, 530, 320, 736, 7356, 49407]
    """

    def __init__(self, tokenizer: str, max_length: int = 64, clean: str | None = None,
                 allow_unfit: bool = False) -> None:
        if max_length < 3:
            raise BadValue(
                f'max_length must leave room for a word between the special tokens, so be at '
                f'least 3; got {max_length}')
        resolve_pretrained(tokenizer)  # a wrong path fails here, not in the first worker
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.clean = clean
        self.clean_text = find_cleaning(clean)
        self.allow_unfit = allow_unfit

    def encode(self, captions: Sequence[str]) -> list['Encoding']:
        """Clean captions and split them into tokens; what is cut is in ``overflowing``."""
        cleaned = [self.clean_text(caption) for caption in captions]
        return _encoder(self.tokenizer, self.max_length).encode_batch(cleaned)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        encoded = self.encode(captions_of(results))
        # By way of NumPy: torch takes four times as long over a list.
        results['input_ids'] = [torch.from_numpy(np.array(caption.ids, dtype=np.int64))
                                for caption in encoded]
        return results

    def read_part(self, caption: str) -> str:
        """Return what is read of a cleaned caption: all of it, or its beginning."""
        encoding = _encoder(self.tokenizer, self.max_length).encode(caption)
        return caption[:max(last for _, last in encoding.offsets)] if encoding.overflowing else (
            caption)

    @property
    def vocabulary(self) -> TokenizerVocabulary:
        """The words that the tokenizer knows."""
        return TokenizerVocabulary(_encoder(self.tokenizer, self.max_length), self.clean_text)

    def save_tokenizer(self, folder: str | os.PathLike) -> None:
        """Write the tokenizer's files to a folder, from which it loads without a network."""
        load_tokenizer(self.tokenizer).save_pretrained(folder)
        licence = os.path.join(resolve_pretrained(self.tokenizer), 'LICENSE')
        if os.path.isfile(licence):
            write_durably(os.path.join(folder, 'LICENSE'), Path(licence).read_bytes())

    def tokenizer_state(self) -> str:
        """Return as JSON all that the tokens depend on; the same wherever the tokenizer lies."""
        state = json.loads(load_tokenizer(self.tokenizer).backend_tokenizer.to_str())
        # How the last call cut and padded is no part of it.
        del state['truncation'], state['padding']
        return json.dumps(state, sort_keys=True)

    def describe_vocabulary(self) -> dict[str, Any]:
        """Describe which number each word has, for `mmtbps.models.trained_inputs`.

        Returns:
            ``tokenizer``, its name; ``entries``, their number; ``sha256``, the same for every
            file that gives the same numbers to the same pieces.
        """
        tokenizer = load_tokenizer(self.tokenizer)
        entries, digest = _hash_vocabulary(tokenizer, len(tokenizer))
        return dict(tokenizer=str(self.tokenizer), entries=entries, sha256=digest)

    def __repr__(self) -> str:
        clean = f', clean={self.clean!r}' if self.clean else ''
        return (f'{type(self).__name__}(tokenizer={self.tokenizer!r}, '
                f'max_length={self.max_length}{clean})')


@cache
def _hash_vocabulary(tokenizer: 'PreTrainedTokenizerBase', size: int) -> tuple[int, str]:
    """Count and hash the pieces, once for a tokenizer and its size: each checkpoint notes them."""
    pieces = sorted(tokenizer.get_vocab().items())
    return len(pieces), hashlib.sha256(json.dumps(pieces).encode()).hexdigest()


def captions_of(results: dict[str, Any]) -> list[str]:
    """Return the captions of an item: ``[caption]`` or ``[text]``, or ``captions`` in testing."""
    where = results.get('img_path', 'item')
    key = next((key for key in CAPTION_KEYS if key in results), None)
    if key is None:
        raise MissingKey(f"{where}: neither 'caption' nor 'captions' among the keys "
                         f'{sorted(results)}')
    captions = list(results[key]) if key == 'captions' else [results[key]]
    for caption in captions:
        if not isinstance(caption, str):
            raise TypeError(f'{where}: a caption must be a str, got {caption!r}')
    return captions


def _check_knows_words(tokenizer: 'PreTrainedTokenizerBase', name: str) -> None:
    """Refuse a tokenizer that answers ``[UNK]`` to everything.

    transformers 5 builds one without complaint when ``vocab.txt`` is missing.
    """
    unknown = tokenizer.unk_token_id
    special = set(tokenizer.all_special_tokens)
    words = []
    for token in tokenizer.get_vocab():
        word = token
        for mark in _WORD_MARKS:
            word = word.replace(mark, '')
        if token not in special and word.isalpha():
            words.append(word)
            if len(words) == _PROBE_WORDS:
                break
    ids = tokenizer(words, add_special_tokens=False)['input_ids'] if words else []
    if not any(i != unknown for sequence in ids for i in sequence):
        raise BadValue(
            f'{name}: this tokenizer maps every word to {tokenizer.unk_token!r}; its vocabulary '
            f'has {len(tokenizer)} entries. Usually vocab.txt (or tokenizer.json) is missing or '
            'empty: put it beside tokenizer_config.json')
