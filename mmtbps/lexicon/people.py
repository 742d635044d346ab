"""Number of people in a caption: one, or more than one."""

from collections.abc import Iterator, Sequence
from functools import cache

from .grammar import COPULAS, FUNCTION_WORDS, NEGATORS, noun_at
from .phrases import PhraseIndex, Word
from .vocabulary import read_table

#: Of one person, with their gender.
PRONOUNS = {**dict.fromkeys(('he', 'his', 'him', 'himself'), 'male'),
            **dict.fromkeys(('she', 'her', 'hers', 'herself'), 'female')}
_OTHERS = frozenset({'another', 'other', 'second', 'third', 'two', 'three', 'four', 'several'})
_NEXT = frozenset(',;')  # "a man in white, officer in blue"
_INDEFINITE = frozenset('a an one some his her their each every'.split())
_JOINED_BY = frozenset('and & with or behind beside by to holding carrying of'.split())
_BEFORE_SAME = COPULAS | {'as', 'like'}
_NOT_BEFORE = FUNCTION_WORDS - {'a', 'an', 'the', 'all'}
_MAX_MODIFIERS = 4


def names_several_people(words: Sequence[Word]) -> bool:
    """Tell whether a caption speaks of more than one person.

    A person that comes again as "the man" or "this lady" is the same one, another noun of its
    gender too; one that comes with "a", of the other gender or in the plural is a second.

    >>> from mmtbps.lexicon import split_words
    >>> [names_several_people(split_words(caption)) for caption in (
    ...     'A man walks. The guy wears a coat.', 'A man walks behind a man in a coat.')]
    [False, True]
    """
    table, seen = _kinds(), set()
    i = 0
    while i < len(words):
        key = words[i].key.removesuffix("'s").removesuffix('’s')
        if (key not in _nouns() and key not in PRONOUNS) or _is_denied(words, i):
            i += 1
            continue
        skipped = _not_persons().longest_at(words, i)
        if skipped or (i + 1 < len(words) and key == words[i].key and noun_at(words, i + 1)
                       and (key in table or key in _others())):
            i = skipped[0] if skipped else i + 2  # "baby stroller", "boyfriend jeans"
            continue
        kinds = table.get(key, frozenset({PRONOUNS[key]} if key in PRONOUNS else ()))
        if (words[i].key in _others() or key in read_table('reading')['relations']
                or (key in table and _is_another(words, i, bool(seen)))):
            return True
        seen |= kinds
        if {'male', 'female'} <= seen or {'adult', 'child'} <= seen:
            return True
        i += 1
        while key in table and i < len(words) and words[i].key in table:  # "male student"
            i += 1
    return False


def person_noun(words: Sequence[Word]) -> str | None:
    """Return the first noun of a caption that names a person.

    >>> from mmtbps.lexicon import split_words
    >>> person_noun(split_words('A young lady in red.'))
    'lady'
    """
    return next((word.key for i, word in enumerate(words) if word.key in _kinds()
                 and not _not_persons().longest_at(words, i)), None)


def person_places(words: Sequence[Word]) -> Iterator[int]:
    """Find the words that name a person, or several; not those of "baby stroller", "mom jeans"."""
    done = 0
    for i, word in enumerate(words):
        if i < done or word.key not in _nouns():
            continue
        skipped = _not_persons().longest_at(words, i)
        if skipped:
            done = skipped[0]
        elif i + 1 == len(words) or noun_at(words, i + 1) is None:
            yield i


def opens_with_a_person(words: Sequence[Word], i: int) -> bool:
    """Tell whether a query begins with the person named at a word: "a tall woman".

    >>> from mmtbps.lexicon import split_words
    >>> opens_with_a_person(split_words('tall woman hat'), 1)
    True
    """
    return words[i].key in _nouns() and not any(
        _not_persons().longest_at(words, m) or word.is_punctuation or word.key in _NOT_BEFORE
        for m, word in enumerate(words[:i + 1]))


def word_before_person(words: Sequence[Word], i: int) -> Word | None:
    """Return the word before the person at word ``i`` and their article.

    >>> from mmtbps.lexicon import split_words
    >>> word_before_person(split_words('not the man'), 2).key
    'not'
    """
    m = i - 1 if i and words[i - 1].key in ('a', 'an', 'the') else i
    return words[m - 1] if m else None


def _is_denied(words: Sequence[Word], i: int) -> bool:
    """Tell whether a person is only named to say who is not meant: "a woman, not a man"."""
    before = word_before_person(words, i)
    return before is not None and before.key in NEGATORS


def _is_another(words: Sequence[Word], i: int, after_one: bool) -> bool:
    """Tell whether the person at word ``i`` is a second one, by what stands before."""
    m = i - 1
    while m >= 0 and i - m <= _MAX_MODIFIERS and not words[m].is_punctuation and (
            words[m].key not in FUNCTION_WORDS and words[m].key not in _OTHERS | _INDEFINITE):
        m -= 1
    if m < 0:
        return False
    if words[m].key in _OTHERS or (
            after_one and words[m].key in _NEXT and words[i].key not in _keys(words[:i])):
        return True
    before = words[m - 1].key if m and words[m].key in _INDEFINITE else ''
    return after_one and (words[m].key in _INDEFINITE and before not in _BEFORE_SAME
                          or words[m].key in _JOINED_BY)


def _keys(words: Sequence[Word]) -> set[str]:
    return {word.key for word in words}


@cache
def _kinds() -> dict[str, frozenset[str]]:
    kinds: dict[str, set[str]] = {}
    for kind, nouns in read_table('reading')['persons'].items():
        for noun in nouns:
            kinds.setdefault(noun, set()).add(kind)
    return {noun: frozenset(found) for noun, found in kinds.items()}


@cache
def _others() -> frozenset[str]:
    """Return the nouns that name a second person, or several, wherever they stand."""
    return frozenset((*read_table('reading')['plurals'], *read_table('reading')['relations']))


@cache
def _nouns() -> frozenset[str]:
    """Return the nouns that may name a person, or several."""
    return frozenset((*_kinds(), *_others()))


@cache
def _not_persons() -> PhraseIndex:
    return PhraseIndex(read_table('reading')['not_persons'])
