"""Measures of how well a tokenizer knows the captions of a data set."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .tokenize import TokenizeCaption, load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding

#: Above these a model learns next to nothing of the words.
MAX_UNKNOWN, MAX_CUT, MAX_PIECES = 0.5, 0.5, 4.
#: Above these shares of the words a model reads badly what it should tell people apart by.
MANY_UNKNOWN, MANY_SPLIT = 0.01, 0.2
_EXAMPLES = 5
_SAMPLE = 2000
_WORD = re.compile(r'[^\W_]+')
# Scripts without spaces, and the letters of an average word: Chinese and Japanese, Thai to Khmer.
_UNSPACED = {re.compile('[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]'): 2,
             re.compile('[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]'): 4}
_SIGN = '|'.join(letters.pattern for letters in _UNSPACED)
# A word of letters; of scripts without spaces each sign is one.
_LETTERS = re.compile(rf'{_SIGN}|(?:(?!{_SIGN})[^\W\d_])+')


class TokenUse(NamedTuple):
    """Shares of unknown tokens and of cut captions, and pieces (tokens) a word, of some captions.

    Args:
        captions: Captions of the data set.
        looked_at: Captions among them that were tokenized.
        unknown: Share of tokens that stand for what the tokenizer does not know.
        pieces: Tokens a word. A byte-level tokenizer knows everything, but in many pieces.
        cut: Share of captions that are longer than ``max_length``.
        max_length: Most tokens of a caption.
        unknown_words: Share of words of which the tokenizer does not know a part.
        split_words: Share of words that it splits into several tokens.
        examples: The most frequent of both, in lower case.
    """

    captions: int
    looked_at: int
    unknown: float
    pieces: float
    cut: float
    max_length: int
    unknown_words: float = 0.
    split_words: float = 0.
    examples: tuple[str, ...] = ()

    @property
    def unfit(self) -> bool:
        """True for a tokenizer that is one for other captions."""
        return (self.unknown > MAX_UNKNOWN or self.cut > MAX_CUT or self.pieces > MAX_PIECES)

    @property
    def hard_words(self) -> str | None:
        """Words that the tokenizer does not know or takes apart, where these are many."""
        if self.unknown_words <= MANY_UNKNOWN and self.split_words <= MANY_SPLIT:
            return None
        return (f'{100 * self.unknown_words:.1f} % of the words unknown, '
                f'{100 * self.split_words:.1f} % split: '
                f'{", ".join(self.examples)}')

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
    total, unknown_words, split_words = 0, Counter(), Counter()
    for caption, encoding in zip(chosen, tokenize.encode(chosen), strict=True):
        cut += bool(encoding.overflowing)
        tokens = _tokens_of(encoding)
        pieces += len(tokens)
        unknown += sum(token == unknown_id for _, _, token in tokens)
        for word, parts in _find_words(tokenize.clean_text(caption), tokens):
            total += 1
            unknown_words[word] += unknown_id in parts
            split_words[word] += unknown_id not in parts and len(parts) > 1
    total = max(total, 1)
    hard = (unknown_words + split_words).most_common(_EXAMPLES)
    return TokenUse(len(captions), len(chosen), unknown / max(pieces, 1),
                    pieces / max(sum(map(count_words, chosen)), 1), cut / len(chosen),
                    tokenize.max_length, unknown_words.total() / total, split_words.total() / total,
                    tuple(word for word, _ in hard))


def _tokens_of(encoding: 'Encoding') -> list[tuple[int, int, int]]:
    """List start, end and id of the tokens of a caption, of its cut end, too."""
    return sorted((*span, token) for part in (encoding, *encoding.overflowing)
                  for span, token, special in zip(
                      part.offsets, part.ids, part.special_tokens_mask, strict=True) if not special)


def _find_words(text: str, tokens: Sequence[tuple[int, int, int]]
                ) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield each word of a text with the ids of the tokens that it is written with."""
    starts, ends, ids = zip(*tokens, strict=True) if tokens else ((), (), ())
    for match in _LETTERS.finditer(text):
        parts = ids[bisect_right(ends, match.start()):bisect_left(starts, match.end())]
        yield match[0].lower(), parts


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
