"""Measures of how well a tokenizer knows the captions of a data set."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .tokenize import TokenizeCaption, load_tokenizer

#: Above these a model learns next to nothing of the words.
MAX_UNKNOWN, MAX_CUT, MAX_PIECES = 0.5, 0.5, 4.
_SAMPLE = 2000
_WORD = re.compile(r'[^\W_]+')
# Scripts without spaces, and the letters of an average word: Chinese and Japanese, Thai to Khmer.
_UNSPACED = {re.compile('[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]'): 2,
             re.compile('[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]'): 4}


class TokenUse(NamedTuple):
    """Shares of unknown tokens and of cut captions, and pieces (tokens) a word, of some captions.

    Args:
        captions: Captions of the data set.
        looked_at: Captions among them that were tokenized.
        unknown: Share of tokens that stand for what the tokenizer does not know.
        pieces: Tokens a word. A byte-level tokenizer knows everything, but in many pieces.
        cut: Share of captions that are longer than ``max_length``.
        max_length: Most tokens of a caption.
    """

    captions: int
    looked_at: int
    unknown: float
    pieces: float
    cut: float
    max_length: int

    @property
    def unfit(self) -> bool:
        """True for a tokenizer that is one for other captions."""
        return (self.unknown > MAX_UNKNOWN or self.cut > MAX_CUT or self.pieces > MAX_PIECES)

    def __str__(self) -> str:
        some = '' if self.looked_at == self.captions else f', of which {self.looked_at:,} looked at'
        return (f'{self.captions:,} captions{some}: {100 * self.unknown:.1f} % unknown tokens, '
                f'{self.pieces:.1f} pieces a word, {100 * self.cut:.1f} % cut at '
                f'{self.max_length} tokens')


def measure_tokens(tokenize: TokenizeCaption, captions: Sequence[str]) -> TokenUse:
    """Measure how captions fare with a tokenizer.

    Args:
        tokenize: Transform of the pipeline.
        captions: One or more captions; of many, a sample spread evenly is looked at.

    Example:
        >>> from mmtbps.datasets.transforms import CLIP_TOKENIZER
        >>> clip = TokenizeCaption(CLIP_TOKENIZER, max_length=77, clean='clip')
        >>> str(measure_tokens(clip, ['A man in a red coat.', 'A woman in white.']))
        '2 captions: 0.0 % unknown tokens, 1.2 pieces a word, 0.0 % cut at 77 tokens'
    """
    step = max(1, len(captions) / _SAMPLE)
    chosen = [captions[int(i * step)] for i in range(min(len(captions), _SAMPLE))]
    unknown_id = load_tokenizer(tokenize.tokenizer).unk_token_id
    pieces = unknown = cut = 0
    for encoding in tokenize.encode(chosen):
        cut += bool(encoding.overflowing)
        for part in (encoding, *encoding.overflowing):
            ids = [token for token, special in zip(
                part.ids, part.special_tokens_mask, strict=True) if not special]
            pieces += len(ids)
            unknown += ids.count(unknown_id)
    words = sum(count_words(caption) for caption in chosen)
    return TokenUse(len(captions), len(chosen), unknown / max(pieces, 1), pieces / max(words, 1),
                    cut / len(chosen), tokenize.max_length)


def count_words(text: str) -> float:
    """Count words, by letters where a script has no spaces.

    >>> count_words("A man's coat."), count_words('红色外套')
    (4.0, 2.0)
    """
    count = 0.
    for letters, length in _UNSPACED.items():
        text, found = letters.subn(' ', text)
        count += found / length
    return count + len(_WORD.findall(text))
