"""Reach of negations in a query: the words that "without", "no" or "isn't wearing" reach.

`negations_in` finds a negation with its object, so that no edit tears it apart. Here every word is
told how many negations reach it: of two, the second takes the first back.
"""

from collections.abc import Sequence
from functools import cache

from .body_phrases import is_silent
from .grammar import AUXILIARIES, COPULAS, body_place_end, noun_chain_at
from .negations import is_negator
from .phrases import PhraseIndex, Word
from .seldom_colors import asked_color

__all__ = ['DOUBTFUL', 'absence_end', 'negation_depths']

#: A word that a negation may or may not reach: "without a hat and a red coat".
DOUBTFUL = -1

_STOPS = frozenset('.;:!?|)]}•')
#: Between things of a list, which a negation runs across only as it does across "and".
_ALSO = frozenset({',', 'and', '&', '/', '+'})
_DASHES = frozenset('-–—')
_CLAUSE = frozenset('but while who whose which because although though except instead'.split())
#: Behind an object these begin something else: "no hat with a red coat".
_AFTER_OBJECT = frozenset('with in wearing wears wear carrying carries holding holds has having is '
                          'was are dressed'.split())
_JOINERS = frozenset({'or', 'nor'})
#: "Not tucked into his jeans", "no jacket over a shirt".
_OVER = frozenset('over under underneath beneath into on onto'.split())
#: "No longer wearing a hat": no objects.
_ADVERBS = frozenset('longer yet even still now ever always quite once anymore again'.split())
_DRESSED = _ADVERBS | frozenset('dressed clad seen shown covered anything something'.split())
#: "Not only a hat": nothing is negated.
_ONLY = frozenset('only just merely simply'.split())
_CORRELATED = frozenset({'neither', 'not', 'no', 'without', 'never'})
_OPENERS = _AFTER_OBJECT | _OVER
#: What a noun is not, if it is not there: "her bag is not visible".
_SEEN = frozenset('visible there present seen shown worn carried on'.split())
_LINKS = COPULAS | AUXILIARIES | {'been'}
_ABSENT = ('nowhere to be seen', 'nowhere', 'gone missing', 'gone', 'taken off', 'off', 'absent',
           'missing', 'removed')
#: "Ain't got no hat" denies it once.
_SLANG = frozenset({'no', 'nothing', 'none'})
_HAS = frozenset('got have has had having wearing wear wears wore carrying carry'.split())
#: "Hat: no", as a form is filled in.
_LABELS = frozenset(':=')
_ASKED = _LABELS | frozenset('-(?/')
_ANSWERED = frozenset('no none nope 0 false absent missing'.split())
_CLAUSE_WORDS = 6
_WORN = frozenset('in wearing wears on of'.split())
#: "Taken off and tied around his waist": it is there.
_HELD = frozenset('tied held carried draped hung folded slung'.split())
_GOES_ON = _AFTER_OBJECT | frozenset('and but while who'.split())


def negation_depths(words: Sequence[Word], nouns: Sequence[tuple[int, int]]) -> list[int]:
    """Count the negations that reach each word; `DOUBTFUL` where that cannot be told.

    Args:
        words: Of a query.
        nouns: ``[start, end)`` word indices of its noun phrases, in order: what can be negated.

    Example:
        >>> from mmtbps.lexicon import split_words
        >>> negation_depths(split_words('no hat but a bag'), [(1, 2), (4, 5)])
        [0, 1, 0, 0, 0]
        >>> negation_depths(split_words('not without a hat'), [(3, 4)])
        [0, 1, 2, 2]
    """
    depths = [0] * len(words)
    for i in range(len(words)):
        if not _negates(words, i):
            continue
        end, doubtful = _reach(words, i, nouns)
        if _is_open(words, i):
            end, doubtful = i + 1, end
        for m in range(i + 1, doubtful):
            if depths[m] != DOUBTFUL:
                depths[m] = depths[m] + 1 if m < end else DOUBTFUL
    for start, end in nouns:
        if absence_end(words, end) > end:
            depths[start:end] = [depth + (depth != DOUBTFUL) for depth in depths[start:end]]
    return depths


def absence_end(words: Sequence[Word], i: int) -> int:
    """Find the end of "is not visible" behind a noun that ends before word ``i``; else ``i``.

    Also of "is missing" and ": none", with which a clause must end.

    Example:
        >>> from mmtbps.lexicon import split_words
        >>> absence_end(split_words('her bag is not visible'), 2)
        5
    """
    m = i
    while m < len(words) and words[m].key in _LINKS:
        m += 1
    if m < len(words) and is_negator(words[m]):
        seen = m + 2 if m + 1 < len(words) and words[m + 1].key == 'be' else m + 1
        following = words[seen + 1].key if seen + 1 < len(words) else ''
        if seen < len(words) and words[seen].key in _SEEN and following != 'out' and (
                words[seen].key != 'on' or _clause_ends(words, seen + 1)):
            return i if _tells_of_another(words, i, m > i) else seen + 1
    match = _absent().longest_at(words, m) if m < len(words) else None
    if match is None or not _clause_ends(words, match[0]):
        return _answer_end(words, i)
    return i if _tells_of_another(words, i, m > i) else match[0]


def _tells_of_another(words: Sequence[Word], i: int, told: bool) -> bool:
    """Tell whether who wears what ends before word ``i`` is absent: "the boy in red is missing"."""
    for m in range(i - 1, max(i - _CLAUSE_WORDS, -1), -1):
        key = words[m].key
        if words[m].is_punctuation or key in _CLAUSE or key == 'and':
            return False
        if key in ('his', 'her', 'their'):
            return m > 1 and words[m - 1].key in _WORN
        if key in _WORN or (told and key in ('with', 'carrying', 'holding')):
            return m > 0
    return False


@cache
def _absent() -> PhraseIndex:
    return PhraseIndex(_ABSENT)


def _answer_end(words: Sequence[Word], i: int) -> int:
    """Find the end of ": none" and "(no)" behind a noun that ends before word ``i``; else ``i``."""
    m = i + 1 if i < len(words) and words[i].key in _ASKED else i
    if i < m < len(words) - 1 and is_negator(words[m]) and words[m + 1].key in _SEEN:
        return m + 2
    if m == len(words) or words[m].key not in _ANSWERED or _is_a_number(words, m) or (
            words[m].key == '0' and m == i):
        return i
    closed = m + 1 < len(words) and words[m + 1].key == ')'
    end = m + 1 + closed
    # "Hat: none shoes: black" goes on with the next label.
    labelled = m > i and any(word.key in _LABELS for word in words[end + 1:end + 3])
    return end if closed or labelled or words[m].key == 'none' or (
        end == len(words) or words[end].is_punctuation) else i


def _clause_ends(words: Sequence[Word], i: int) -> bool:
    """Tell whether something else begins at a word: a clause, or a thing with its color."""
    held = words[i + 1].key in _HELD if i + 1 < len(words) else False
    return not held and (i >= len(words) or words[i].is_punctuation or (
        asked_color(words, i) is not None or words[i].key in _GOES_ON))


def _negates(words: Sequence[Word], i: int) -> bool:
    """Tell whether the word at ``i`` negates: not "nor" of "neither ... nor", nor "not only"."""
    if not is_negator(words[i]):
        return False
    following = words[i + 1].key if i + 1 < len(words) else ''
    if following in _ONLY or _is_a_number(words, i) or (
            words[i].key == 'none' and following != 'of'):
        return False  # "not only a hat", "camera no 3", "hat none"
    if words[i].key in _SLANG and _is_denied_before(words, i):
        return False
    if words[i].key == 'nor':
        before = [word.key for word in words[:i]]
        stop = max((m for m, key in enumerate(before) if key in _STOPS), default=-1)
        return not any(key in _CORRELATED or is_negator(words[stop + 1 + n])
                       for n, key in enumerate(before[stop + 1:]))
    return True


def _is_a_number(words: Sequence[Word], i: int) -> bool:
    """Tell whether "no" at a word is short for a number: "camera no 3", "jersey no. 10"."""
    m = i + 2 if i + 1 < len(words) and words[i + 1].key == '.' else i + 1
    return words[i].key == 'no' and m < len(words) and words[m].key.isdigit()


def _is_denied_before(words: Sequence[Word], i: int) -> bool:
    """Tell whether a verb stands between a word and "not", "doesn't" or "never"."""
    end = i
    while i and words[i - 1].key in _HAS:
        i -= 1
    return 0 < i < end and (words[i - 1].key in ('never', 'not')
                            or words[i - 1].key.endswith("n't"))


def _is_open(words: Sequence[Word], i: int) -> bool:
    """Tell whether both are right: "with or without a bag"."""
    return i > 1 and words[i - 1].key == 'or' and words[i - 2].key in _AFTER_OBJECT


def _reach(words: Sequence[Word], i: int, nouns: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Find the word after the scope of the negator at ``i``, and the one after what is doubtful."""
    starts = {start: end for start, end in nouns}
    inside = next((end for start, end in nouns if start < i < end), None)
    m, objects = (i + 1, 0) if inside is None else (inside, 1)  # "her coat is not red"
    while m < len(words):
        key = words[m].key
        if key in _STOPS or key in _CLAUSE or (objects and key in _DASHES) or key == '¬' or (
                m in starts and starts[m] < len(words) and words[starts[m]].key in _LABELS):
            break
        if key in _ALSO:
            if not objects and (key == ',' or _says_else(words[i + 1:m]) or (
                    words[m - 1].key in _SEEN)):
                break
            if objects and key != ',' and words[m - 1].key == 'hair':
                break  # "no hair and glasses": bald is what one is, not what one lacks
            if objects and not _goes_on(words, m, starts):
                return m, _doubtful_end(words, m, starts)
        elif objects and (key in _OPENERS or _negates(words, m)) and not _joined(words, m):
            break
        elif not objects and key in _OPENERS and m > i + 1 and (_says_else(words[i + 1:m]) or (
                words[m - 1].key in _SEEN) or _is_a_limb(words, m)):
            break
        if m in starts:
            objects += 1
            m = starts[m]
        else:
            m += 1
    return m, m


def _says_else(words: Sequence[Word]) -> bool:
    """Tell whether a negation has an object of its own: "not running in red", "no logo on it"."""
    return any(not is_silent(word.key) and word.key not in _DRESSED
               and not word.key.endswith('ly') for word in words)


def _is_a_limb(words: Sequence[Word], m: int) -> bool:
    """Tell whether a part of the body is what is missing before word ``m``: "an arm"."""
    return words[m - 2].key in ('a', 'an') and body_place_end(words, m - 1) == m


def _goes_on(words: Sequence[Word], m: int, starts: dict[int, int]) -> bool:
    """Tell whether a scope runs across a comma or "and": into a list that "or" ends, a bare noun.

    "No hat, bag or scarf", "without hat and bag".
    """
    after = [n for n in starts if n > m]
    if not after:
        return False
    first = min(after)
    between = [word.key for word in words[m + 1:first]]
    if any(key in _JOINERS for key in between):
        return True
    if between or asked_color(words, first) is not None or _is_described(
            words, first, starts[first]):
        return words[m].key == ',' and between in (['a'], ['an']) and _list_ends_in_or(
            words, starts[first], starts)
    return words[m].key != ',' or _list_ends_in_or(words, starts[first], starts)


def _is_described(words: Sequence[Word], start: int, end: int) -> bool:
    """Tell whether a noun phrase says more than what it is: "striped shirt"."""
    noun = noun_chain_at(words, start)
    return noun is None or noun.end != end


def _list_ends_in_or(words: Sequence[Word], m: int, starts: dict[int, int]) -> bool:
    """Tell whether nouns with commas and one "or" between follow."""
    while m < len(words) and (m in starts or words[m].key in {',', 'a', 'an', 'any'} | _JOINERS):
        if words[m].key in _JOINERS:
            return True
        m = starts.get(m, m + 1)
    return False


def _doubtful_end(words: Sequence[Word], m: int, starts: dict[int, int]) -> int:
    """Find the end of "and a bag", of which nobody knows whether "without a hat" reaches it."""
    if words[m].key == ',':
        return m
    first = min((n for n in starts if n > m), default=None)
    bare = first is not None and {word.key for word in words[m + 1:first]} <= {
        'a', 'an', 'the', 'his', 'her', 'their'}
    return starts[first] if bare else m


def _joined(words: Sequence[Word], m: int) -> bool:
    return words[m - 1].key in _JOINERS or words[m].key in _JOINERS
