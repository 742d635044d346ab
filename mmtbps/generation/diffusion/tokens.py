"""Tokens of captions: those that a span of characters covers, and the map from old to new ones.

The planner made the edit itself, so it knows the character spans; no word is searched for in the
caption. That keeps punctuation, double spaces, repeated words and colours of several tokens
apart, all of which matching words by ``split(' ')`` gets wrong.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.lexicon.edit_spans import Span

__all__ = ['EncodedCaption', 'Span', 'caption_edits', 'encode_caption', 'span_tokens', 'token_map']

_PIECE = re.compile(r'\w+|\s+|[^\w\s]')


class EncodedCaption(NamedTuple):
    """Token ids with the characters each covers; special tokens cover none."""

    ids: tuple[int, ...]
    offsets: tuple[Span, ...]


def encode_caption(tokenizer: Any, caption: str) -> EncodedCaption:
    """Encode a caption to tokens, special ones included, not padded.

    Args:
        tokenizer: Called as ``tokenizer(text, return_offsets_mapping=True)``; its
            ``model_max_length`` is the most tokens the text encoder reads.

    Raises:
        BadValue: If the caption is too long. Nothing is cut off: an edit must not act on words
            that the model never sees.
    """
    encoded = tokenizer(caption, return_offsets_mapping=True)
    ids = tuple(encoded['input_ids'])
    if len(ids) > tokenizer.model_max_length:
        raise BadValue(
            f'the caption has {len(ids)} tokens, the text encoder reads '
            f'{tokenizer.model_max_length}: {caption!r}. Shorten it or leave it out of the plan')
    return EncodedCaption(ids, tuple((start, end) for start, end in encoded['offset_mapping']))


def span_tokens(offsets: Sequence[Span], span: Span) -> tuple[int, int]:
    """Find the token range ``[first, last)`` that touches the characters ``[start, end)``.

    An empty span gives the empty range at the place where its text would stand.

    >>> offsets = [(0, 0), (0, 1), (2, 5), (6, 11), (11, 12), (0, 0)]  # "a red shirt." + 2 special
    >>> span_tokens(offsets, (2, 11)), span_tokens(offsets, (2, 2))
    ((2, 4), (2, 2))
    """
    start, end = span
    text = [i for i, (a, b) in enumerate(offsets) if b > a]
    if not text:
        return 1, 1
    first = next((i for i in text if offsets[i][1] > start), text[-1] + 1)
    last = max((i + 1 for i in text if offsets[i][0] < end), default=text[0])
    return first, max(first, last)


def caption_edits(source: str, target: str, source_span: Span, target_span: Span,
                  ) -> list[tuple[Span, Span]]:
    """Find all places where two captions differ, as pairs of spans from left to right.

    The colour's own spans are taken as given; what else changed with it (``a`` to ``an``, a second
    mention of the same garment) is found by comparing words before and after.

    >>> caption_edits('A red bag.', 'An orange bag.', (2, 5), (3, 9))
    [((0, 1), (0, 2)), ((2, 5), (3, 9))]
    """
    before = _changes(source[:source_span[0]], target[:target_span[0]], 0, 0)
    after = _changes(source[source_span[1]:], target[target_span[1]:],
                     source_span[1], target_span[1])
    return [*before, (source_span, target_span), *after]


def _changes(source: str, target: str, source_at: int, target_at: int) -> list[tuple[Span, Span]]:
    if source == target:
        return []
    pieces = [list(_PIECE.finditer(text)) for text in (source, target)]
    words = [[piece.group() for piece in side] for side in pieces]
    starts = [[*(piece.start() for piece in side), len(text)]
              for side, text in zip(pieces, (source, target), strict=True)]
    return [((source_at + starts[0][i1], source_at + starts[0][i2]),
             (target_at + starts[1][j1], target_at + starts[1][j2]))
            for kind, i1, i2, j1, j2 in SequenceMatcher(None, *words, autojunk=False).get_opcodes()
            if kind != 'equal']


def token_map(source: EncodedCaption, target: EncodedCaption, edits: Sequence[tuple[Span, Span]],
              length: int, mode: str = 'replace') -> tuple[Tensor, Tensor]:
    """Map attention to the source's tokens to attention to the target's.

    Prompt-to-Prompt (https://arxiv.org/abs/2208.01626), section 3.2: tokens outside the edits go
    to themselves, wherever they stand now; the n tokens of an edit share their attention evenly
    among its m new tokens. Attention is moved, never made or lost, so every row sums to 1 (save
    for a deleted word).

    Args:
        source: Caption before the edit.
        target: Caption after it.
        edits: Pairs of character spans, sorted (see `caption_edits`).
        length: K, tokens of a padded caption.
        mode: ``'replace'``: new words take over the attention of the old ones. ``'refine'``: new
            words keep the attention the target prompt gives them. Inserted words always do.

    Returns:
        ``map`` ``(K, K)`` float32, source token x target token, and ``own`` ``(K,)`` float32, 1
        where the target keeps its own attention.

    Raises:
        BadValue: On an unknown mode.

    >>> source = EncodedCaption((9, 1, 2, 8), ((0, 0), (0, 3), (4, 9), (0, 0)))  # red shirt
    >>> target = EncodedCaption((9, 3, 4, 2, 8), ((0, 0), (0, 2), (2, 6), (7, 12), (0, 0)))
    >>> token_map(source, target, [((0, 3), (0, 6))], length=5)[0].tolist()[1:3]
    [[0.0, 0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]]
    """
    if mode not in ('replace', 'refine'):
        raise BadValue(f"mode must be 'replace' or 'refine', got {mode!r}")
    mapping, own = torch.zeros(length, length), torch.zeros(length)
    s = t = 0
    for source_span, target_span in edits:
        s0, s1 = span_tokens(source.offsets, source_span)
        t0, t1 = span_tokens(target.offsets, target_span)
        _shift(mapping, (s, s0), (t, t0))
        if mode == 'refine' or s1 == s0:
            own[t0:t1] = 1
        elif s1 - s0 == t1 - t0:
            _shift(mapping, (s0, s1), (t0, t1))
        elif t1 > t0:
            mapping[s0:s1, t0:t1] = 1 / (t1 - t0)
        s, t = s1, t1
    _shift(mapping, (s, length), (t, length))
    return mapping, own


def _shift(mapping: Tensor, source: tuple[int, int], target: tuple[int, int]) -> None:
    """Map equal tokens one to one; where one side has more left over, its last ones share."""
    common = min(source[1] - source[0], target[1] - target[0])
    steps = torch.arange(common)
    mapping[source[0] + steps, target[0] + steps] = 1
    if common == 0:
        return
    last_source, last_target = source[0] + common - 1, target[0] + common - 1
    mapping[last_source:source[1], last_target] = 1
    spread = target[1] - last_target
    if spread > 1:
        mapping[last_source, last_target:target[1]] = 1 / spread
