"""Words that a tokenizer knows, by its vocabulary."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, cached_property
from typing import Any

from .query_text import has_word

__all__ = ['TokenizerVocabulary']

#: Names of the token for what a vocabulary lacks, where its model does not tell.
_UNKNOWN = '<unk>', '[UNK]'
_MARKS = re.compile('^##|^▁|</w>$')
#: A piece of so many letters was made of words; single letters come with every alphabet.
_WORDLIKE = 2
#: So many such pieces tell that a script was learned. CLIP's English vocabulary has at most 15 of a
#: script other than Latin, one of many languages has thousands; a tiny one goes by the share.
_LEARNED, _SHARE = 100, .1
#: Of Chinese signs each is a word; a vocabulary that reads Chinese has thousands.
_CHINESE, _LEARNED_CHINESE = 'CJK', 1000
_NO_SCRIPT = {'MODIFIER', 'FEMININE', 'MASCULINE', 'MICRO', 'INFORMATION', 'DIGIT', 'DINGBAT', '?'}
#: What stands for a sign that was lost, and the categories of signs that mean nothing to others.
_LOST, _NO_SIGNS = '\ufffd', ('Co', 'Cn')
_NUMBERS = ('Nd', 'Nl')


class TokenizerVocabulary:
    """Vocabulary of a tokenizer, which tells the words of a sentence that it does not know.

    A tokenizer that has a token for what it does not know is asked. One of bytes knows every sign,
    so that there the script tells: of a script that the model learned, the vocabulary has many
    pieces of several letters.

    Args:
        tokenizer: A ``tokenizers.Tokenizer``; None for one of bytes of another library.
        clean: What the model does to a text before it is split.
        lock: Held while the tokenizer is asked.
        pieces: All entries of the vocabulary; by default those of the tokenizer.
        special: Names of tokens that the tokenizer would take for the tokens themselves; by
            default those of the tokenizer.
    """

    def __init__(self, tokenizer: Any, clean: Callable[[str], str] = str,
                 lock: AbstractContextManager | None = None,
                 pieces: Iterable[str] | None = None,
                 special: Iterable[str] | None = None) -> None:
        self._tokenizer, self._clean, self._lock = tokenizer, clean, lock or nullcontext()
        self._pieces, self._special = pieces, special and list(special)

    def split_special(self, text: str) -> str:
        """Set the first sign of each name of a special token apart, which makes it plain text.

        ``[SEP]`` becomes ``[ SEP]``, of the same tokens as the letters that it is written with.
        """
        def split(found: re.Match) -> str:
            return f'{found[0][0]} {found[0][1:]}' if self._is_special(found[0]) else found[0]

        return self._special_name.sub(split, text) if self._special_name else text

    def read(self, text: str) -> tuple[list[str], bool]:
        """Read a text as the model does.

        Returns:
            The words that the vocabulary does not know, each once, and whether a word is left.
        """
        text = self._clean(text)
        unknown = sorted([*self._foreign_spans(text), *self._unknown_spans(text)])
        known, words, past = [], [], 0
        for first, last in unknown:
            if last <= past:
                continue
            known.append(text[past:first])
            if words and first <= past:  # one word in several tokens
                words[-1] += text[max(first, past):last]
            else:
                words.append(text[first:last])
            past = max(past, last)
        known.append(text[past:])
        return list(dict.fromkeys(filter(None, map(str.strip, words)))), self._reads(
            ' '.join(known))

    @cached_property
    def scripts(self) -> frozenset[str] | None:
        """The scripts that the model learned; None if the vocabulary does not tell."""
        learned, chinese, total = Counter(), set(), 0
        for piece in self._list_pieces():
            letters = [script_of(sign) for sign in _decode(_MARKS.sub('', piece)) if sign.isalpha()]
            if letters == [_CHINESE]:
                chinese.add(_MARKS.sub('', piece))
            if len(letters) >= _WORDLIKE:
                total += 1
                learned.update({*letters})
        if not total:
            return None
        enough = min(_LEARNED, _SHARE * total)
        found = {script for script, count in learned.items() if count >= enough}
        return frozenset(found | ({_CHINESE} if len(chinese) >= _LEARNED_CHINESE else set()))

    @cached_property
    def _special_ids(self) -> dict[str, int]:
        """The ids of names such as ``[SEP]`` and ``</s>``."""
        with self._lock:
            added = self._tokenizer.get_added_tokens_decoder()
        return {token.content: id_ for id_, token in added.items()
                if re.fullmatch(r'[<\[]\S+[>\]]', token.content)}

    @cached_property
    def _special_name(self) -> re.Pattern | None:
        names = self._special_ids if self._special is None else self._special
        return re.compile('|'.join(map(re.escape, names)), re.IGNORECASE) if names else None

    def _is_special(self, name: str) -> bool:
        # Where its name is said to be text, it may still be an entry of the vocabulary.
        return self._tokenizer is None or bool(
            {*self._special_ids.values()} & {*self._encode(self._clean(name)).ids})

    @cached_property
    def _unknown_ids(self) -> set[int]:
        names = {*_UNKNOWN, getattr(self._tokenizer.model, 'unk_token', None)} - {None}
        return {self._tokenizer.token_to_id(name) for name in names} - {None}

    def _list_pieces(self) -> Iterable[str]:
        if self._pieces is not None:
            return self._pieces
        with self._lock:
            return list(self._tokenizer.get_vocab())

    def _encode(self, text: str) -> Any:
        with self._lock:
            return self._tokenizer.encode(text, add_special_tokens=False)

    def _reads(self, text: str) -> bool:
        """Tell whether a tokenizer makes more than signs of punctuation of a text."""
        if self._tokenizer is None:
            return bool(text.strip())
        spans = [span for span, id_ in zip(*_tokens(self._encode(text)), strict=True)
                 if id_ not in self._unknown_ids]
        return any(has_word(text[first:last]) for first, last in spans)

    def _unknown_spans(self, text: str) -> list[tuple[int, int]]:
        if self._tokenizer is None:
            return []
        return [span for span, id_ in zip(*_tokens(self._encode(text)), strict=True)
                if id_ in self._unknown_ids]

    def _foreign_spans(self, text: str) -> list[tuple[int, int]]:
        """Find the runs of letters of scripts that were not learned, and of no letters at all."""
        if text.isascii():
            return []
        spans, first = [], None
        for place, sign in enumerate([*text, ' ']):
            foreign = self._is_foreign(sign)
            if foreign and first is None:
                first = place
            elif first is not None and not foreign and unicodedata.category(sign)[0] != 'M':
                spans.append((first, place))
                first = None
        return spans

    def _is_foreign(self, sign: str) -> bool:
        category = unicodedata.category(sign)
        if sign == _LOST or category in _NO_SIGNS:
            return True
        spelled = category[0] == 'L' or category in _NUMBERS and not sign.isascii()
        return (spelled and self.scripts is not None
                and script_of(sign) not in (None, *self.scripts))


@cache
def script_of(sign: str) -> str | None:
    """Return the script of a letter or digit, by its name; None for one of no script.

    Example:
        >>> script_of('a'), script_of('\u0436'), script_of('\u7ea2')
        ('LATIN', 'CYRILLIC', 'CJK')
    """
    name = unicodedata.name(sign, '?').removeprefix('EXTENDED ')  # digits of Persian
    script = re.split('[ -]', name)[0]
    return None if script in _NO_SCRIPT else _CHINESE if script == 'IDEOGRAPHIC' else script


def _tokens(encoding: Any) -> tuple[list[tuple[int, int]], list[int]]:
    return encoding.offsets, encoding.ids


@cache
def _byte_signs() -> dict[str, int]:
    """Return the bytes by the signs that a vocabulary of bytes writes them with, as GPT-2 does."""
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [byte for byte in range(0x100) if byte not in plain]
    return {**{chr(byte): byte for byte in plain},
            **{chr(0x100 + place): byte for place, byte in enumerate(others)}}


def _decode(piece: str) -> str:
    """Decode a piece that may be written in the signs of bytes."""
    signs = _byte_signs()
    if piece.isascii() or not all(sign in signs for sign in piece):
        return piece
    try:
        return bytes(signs[sign] for sign in piece).decode()
    except UnicodeDecodeError:  # Latin letters with accents, or a part of a sign
        return piece
