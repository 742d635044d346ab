"""Reading of a whole caption: its colors, its garments, and the reasons not to rely on it."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from .garment_phrases import GarmentPhrase, find_garment_phrases, is_known_modifier
from .grammar import FUNCTION_WORDS, color_term, noun_chain_at
from .mentions import ColorMention, find_color_mentions_in
from .people import names_several_people
from .phrases import PhraseIndex, Word, split_words
from .vocabulary import colors, garments, read_table

__all__ = ['CaptionReading', 'read_caption']

_ALL = frozenset('all only mostly mainly entirely completely just plain solid'.split())
_ARTICLES = frozenset({'a', 'an', 'the'})
_DETERMINERS = frozenset('the his her their its'.split())
_LIKEWISE = frozenset({'too', 'also'})
_ANY = frozenset('any anyone anybody every everyone everybody none nobody whoever someone '
                 'somebody'.split())
_MAX_ANY = 3
# Behind "but" these say more of the same person.
_GOES_ON = frozenset('no not without his her their its he she they with'.split())
_MAX_UNKNOWN = 2
_TITLE_CASE = .8


class CaptionReading(NamedTuple):
    """All that a caption is understood to say of clothes.

    Args:
        mentions: Its color phrases.
        garments: Its garments, with and without a color.
        doubt: Reason for which nothing in it can be relied on; ``None`` if there is none.
    """

    mentions: tuple[ColorMention, ...]
    garments: tuple[GarmentPhrase, ...]
    doubt: str | None


@lru_cache(maxsize=2**15)  # a training reads the same captions in each epoch
def read_caption(caption: str) -> CaptionReading:
    """Read a caption, and whether what it says of colors is certain.

    A caption is doubtful as a whole if it speaks of several people, a mannequin or a display,
    compares colors ("of the same color"), names a color by a word that the lexicon does not have
    ("banana colored"), or asks a question. A garment in it may be doubtful alone: negated, carried
    in the hand, or described by words that may be a color.

    >>> read_caption('A man in a red coat, his shoes are of the same color.').doubt
    'a comparison'
    >>> [garment.doubt for garment in read_caption('A man holds a red coat.').garments]
    ['not worn']
    """
    words = split_words(caption)
    mentions = find_color_mentions_in(words)
    doubt = next((reason for reason, holds in _DOUBTS.items()
                  if holds(caption, words, mentions)), None)
    return CaptionReading(tuple(mentions), tuple(find_garment_phrases(words, mentions)), doubt)


def _several_people(caption: str, words: Sequence[Word], mentions: Sequence[ColorMention]) -> bool:
    # "They" may be one person, but not in two coats.
    many = any(word.key == 'they' for word in words) and any(
        m.noun in _worn_once() for m in mentions)
    return many or names_several_people(words)


def _a_figure(caption: str, words: Sequence[Word], mentions: Sequence[ColorMention]) -> bool:
    return _has(words, 'figures')


def _a_comparison(caption: str, words: Sequence[Word], mentions: Sequence[ColorMention]) -> bool:
    harmless, compared = _phrases('harmless_phrases'), _phrases('compared_phrases')
    i = 0
    while i < len(words):
        skipped = harmless.longest_at(words, i)
        if skipped:
            i = skipped[0]
            continue
        parts = {words[i].key, *words[i].key.split('-')} - {'half'}
        # "His shirt is blue, his pants too."
        last = i + 1 == len(words) or words[i + 1].is_punctuation
        if parts & _words_of('comparisons') or words[i].key == 'half' or (
                compared.longest_at(words, i)) or _excepts(words, i) or (
                last and words[i].key in _LIKEWISE) or (
                last and [word.key for word in words[i - 1:i + 1]] == ['as', 'well']):
            return True
        i += 1
    return False


def _excepts(words: Sequence[Word], i: int) -> bool:
    """Tell whether the word at ``i`` is that of "anyone but a man", "any hat but a red one"."""
    following = words[i + 1].key if i + 1 < len(words) else ''
    return words[i].key == 'but' and following not in _GOES_ON and any(
        word.key in _ANY for word in words[max(i - _MAX_ANY, 0):i])


def _an_unknown_color(caption: str, words: Sequence[Word],
                      mentions: Sequence[ColorMention]) -> bool:
    """Find "banana colored", "peach-ish" and "dressed in eggplant"."""
    for i, word in enumerate(words):
        if any(m.color[0] <= word.start < m.color[1] for m in mentions):
            continue
        if _is_a_color_word(words, i, mentions):
            return True
        section = 'bare_in' if word.key == 'in' else 'bare_wearing'
        if word.key in ('in', 'wearing', 'wears', 'wear') and _bare_unknown(words, i + 1, section):
            return True
    return False


def _a_name(caption: str, words: Sequence[Word], mentions: Sequence[ColorMention]) -> bool:
    """Find colors in names: "Red Sox", "Old Navy", in a caption that is not all in capitals."""
    spoken = [caption[word.start] for word in words if caption[word.start].isalpha()]
    if sum(map(str.isupper, spoken)) > _TITLE_CASE * len(spoken):
        return False
    for i, word in enumerate(words):
        if i == 0 or not any(m.color[0] <= word.start < m.color[1] for m in mentions) or (
                not caption[word.start].isupper() or caption[word.start:word.end].isupper()):
            continue
        around = [w for w in (*words[i - 1:i], *words[i + 1:i + 2]) if w.key not in _ARTICLES]
        if words[i - 1].key not in _ENDS and any(caption[w.start].isupper() for w in around):
            return True
    return False


def _a_question(caption: str, words: Sequence[Word], mentions: Sequence[ColorMention]) -> bool:
    return '?' in caption


_ENDS = frozenset('.!?:;"')
_DOUBTS = {
    'several people': _several_people, 'a mannequin, a display or an animal': _a_figure,
    'a comparison': _a_comparison, 'an unknown color': _an_unknown_color, 'a name': _a_name,
    'a question': _a_question}


def _is_a_color_word(words: Sequence[Word], i: int, mentions: Sequence[ColorMention]) -> bool:
    """Tell whether the word at ``i``, outside all colors, makes a color of what it stands by."""
    key = words[i].key
    parts = key.split('-')
    table = read_table('reading')
    if _glued().fullmatch(key):
        return True
    if len(parts) > 1:
        return parts[-1] in _words_of('color_words') or parts[-1] == 'ish' or (
            parts[-1] not in table['body_ends'] and any(part in colors() for part in parts))
    if key in _words_of('color_words'):
        before = words[i - 1].key if i else ''
        named = before == 'in' and i > 1 and any(
            m.span[0] <= words[i - 2].start < m.span[1] for m in mentions)
        following = [word.key for word in words[i + 1:i + 3]]
        # "The color of her coat is red."
        of_it = before == 'the' and following[:1] == ['of'] and (
            following[-1] in _DETERMINERS and any(
                noun_chain_at(words, m) for m in range(i + 3, min(i + 5, len(words)))))
        return not (named or of_it or following[:1] in (['block'], ['blocked']))
    return len(key) > 4 and key.endswith('ish') and key not in table['ish'] and (
        color_term(words, i) is None)


def _bare_unknown(words: Sequence[Word], start: int, section: str) -> bool:
    """Tell whether an unknown word stands alone at ``start``: "in eggplant", "wearing lemon"."""
    while start < len(words) and words[start].key in _ALL:
        start += 1
    end = start
    while end < len(words) and not words[end].is_punctuation and (
            words[end].key not in FUNCTION_WORDS):
        if noun_chain_at(words, end) or color_term(words, end):
            return False
        end += 1
    if not 0 < end - start <= _MAX_UNKNOWN:
        return False
    last = words[end - 1].key
    return not (last in _words_of(section) or is_known_modifier(last) or last.endswith('s'))


@cache
def _worn_once() -> frozenset[str]:
    """Return the plurals of garments that one person wears one of."""
    return frozenset(form for form, garment in garments().items()
                     if form == garment.plural and garment.singular
                     and garment.region in ('upper', 'full'))


def _has(words: Sequence[Word], section: str) -> bool:
    return any(word.key in _words_of(section) for word in words)


@cache
def _glued() -> re.Pattern[str]:
    """Return the pattern of words without the space before a garment: "darkredshirt"."""
    return re.compile(rf'\w*(?:{"|".join(colors())})(?:{"|".join(garments())})')


@cache
def _words_of(section: str) -> frozenset[str]:
    return frozenset(read_table('reading')[section])


@cache
def _phrases(section: str) -> PhraseIndex:
    return PhraseIndex(read_table('reading')[section])
