"""Negations as people type them, spelled as "no" or "not" in the same places."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from .grammar import COPULAS, FUNCTION_WORDS, is_spoken, noun_at, noun_ending_at
from .negations import is_negator
from .people import person_places, word_before_person
from .phrases import PhraseIndex, Word, split_words
from .seldom_colors import asked_color, seldom_color
from .vocabulary import garments, read_table

__all__ = ['denies_a_person', 'drop_contrasts', 'spell_negations']

_NOT = re.compile(r"(?<![\w/'])(?:is|are|was|were|does|do|did|has|have|had|ca|wo|ai|could|would"
                  r"|should)nt(?![\w'])", re.IGNORECASE)
#: "Without" with a letter too few, too many, or two exchanged; no other word has these letters.
_WITHOUT = re.compile(
    r"(?<![\w/'.-])(?:w/ ?out(?![\w/'-])|w/o\.?(?![\w/'-])|w\\o\b|w\.o\.?(?![\w/'-])|with\s+out\b"
    r"|wout\b|withou[ry]\b|(?!without\b)(?=\w*[ou][tu])w[ithou]{4,8}(?![\w'-]))", re.IGNORECASE)
#: "No: hat", and "non-black coat", which is no black one.
_LABEL = re.compile(r'\b(?:no|not|without|excluding|exclude|minus)\s*:(?=\s*\w)', re.IGNORECASE)
_NON = re.compile(r'\b(?:non[- ]|no-|not-)(?=\w)', re.IGNORECASE)
#: As in the search fields of the web: "coat -hat", but not "coat -with a hat- and shoes".
_EXCLUDED = re.compile(r'(?<!\S)[-!](?=["(]*[^\W\d_])')
_LISTED = re.compile(r'(?<!\S)-\w[^-]*\w-(?!\S)|(?<!\S)-(?:no|not|without)\b', re.IGNORECASE)
_ASIDE = frozenset({',', 'and', 'but'})
_CLAUSE = frozenset('in with wearing wears who that carrying holding'.split())
_ARTICLES = frozenset({'a', 'an', 'the'})
_BEFORE_NONE = frozenset('with has have having wearing wears carrying carries and got'.split())
_OWNERS = frozenset('a an any the his her their my'.split())
_OPENS = frozenset({'and', 'please', 'but'})
_SEEKERS = frozenset("i we i've i'm who've".split())
_OPENED = frozenset({',', ':', ';'})
_NOT_LACKED = frozenset({'charge', 'serif'})
_NEAR = 3


def spell_negations(query: str) -> str:
    """Spell "w/o", "isnt", "devoid of", "took off her" and "-hat" as "no", "not" and the sign "¬".

    Every character keeps its place.

    >>> spell_negations('man w/o hat, who isnt in red'), spell_negations('man -hat')
    ('man no  hat, who not  in red', 'man ¬hat')
    """
    spelled = _NOT.sub(lambda found: 'not'.ljust(len(found[0])), query)
    spelled = _WITHOUT.sub(lambda found: 'no'.ljust(len(found[0])), spelled)
    spelled = _LABEL.sub(lambda found: found[0].replace(':', ' '), spelled)
    spelled = _NON.sub(_no_such, spelled)
    words = split_words(spelled)
    for first, last in _denials(words):
        start, end = words[first].start, words[last - 1].end
        sign = 'no' if end - start > 1 else '¬'
        spelled = f'{spelled[:start]}{sign.ljust(end - start)}{spelled[end:]}'
    return _spell_excluded(spelled)


def drop_contrasts(query: str) -> str:
    r"""Put tabs for a color or a person that is named to say which one is not meant.

    A sign ends a color that is denied, so that the next thing is none of a list of colors.

    >>> drop_contrasts('a red, not blue, coat').split('\t')
    ['a red', '', '', '', '', '', '', '', '', '', '', '', 'coat']
    """
    words = split_words(query) if re.search("no|n't", query, re.IGNORECASE) else []
    for i, word in enumerate(words):
        joiner = _next_thing(words, i) if is_negator(word) else None
        if joiner is not None:  # "coat isn't black, white shoes": no list of colors
            start, end = joiner
            query = f'{query[:start]}{";".ljust(end - start)}{query[end:]}'
        span = _contrast(words, i) if word.key in ('not', 'no') else None
        if span is not None:
            start, end = span
            ended = ';' if query[end:end + 1] == ',' else query[end:end + 1]  # no list of colors
            query = f'{query[:start]}{chr(9) * (end - start)}{ended}{query[end + 1:]}'
    return query


# ------------------------------------------------------------------ what denies
def _spell_excluded(query: str) -> str:
    """Spell "-hat" with the sign; not a list with dashes, of things with their colors."""
    words = split_words(query)
    at = {word.start: i for i, word in enumerate(words)}
    signs = [] if _LISTED.search(query) else [
        at[found.start()] for found in _EXCLUDED.finditer(query)]
    named = [i for i in signs if _is_excluded(words, i)]
    colored = [i for i in named if noun_at(words, _behind_signs(words, i)) is None]
    if colored and (len(named) > 1 or not colored[0]):
        return query
    for i in named:
        query = f'{query[:words[i].start]}¬{query[words[i].end:]}'
    return query


def _is_excluded(words: Sequence[Word], i: int) -> bool:
    """Tell whether a thing follows a sign, and what stands before is no part: "t -shirt"."""
    before = words[i - 1] if i else None
    return _named_at(words, _behind_signs(words, i)) and (before is None or not (
        before.key in _OPENED or len(before.key) < 3 or asked_color(words, i - 1) is not None
        and words[i].key == '-' and noun_at(words, _behind_signs(words, i)) is None))


def _behind_signs(words: Sequence[Word], i: int) -> int:
    return next((m for m in range(i + 1, len(words)) if not words[m].is_punctuation), i)


def _no_such(found: re.Match[str]) -> str:
    """Spell "non-" before a color or a thing as "no"."""
    following = split_words(found.string[found.end():])
    return 'no'.ljust(len(found[0])) if following and _thing_at(following, 0) else found[0]


def _denials(words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Find the words that deny: "devoid of", "took off" before what is worn, "zero"."""
    done = 0
    for i in range(len(words)):
        match = _forms().longest_at(words, i) if i >= done else None
        if match is not None and match[0] < len(words) and _denies(words, i, *match):
            done = match[0]
            yield i, done


def _denies(words: Sequence[Word], i: int, end: int, form: str) -> bool:
    """Tell whether a form denies where it stands: not "size 0", not "lost the man in red"."""
    table = read_table('asked')['typed_negations']
    before, after = words[i - 1] if i else None, words[end].key
    if form in table['alone']:
        return after not in _NOT_LACKED and not (form == 'wo' and after in ('man', 'men')) and not (
            form == 'sans' and before is not None and before.key == 'comic')
    if form in table['first']:
        return before is None or before.is_punctuation or before.key in _OPENS
    if form in table['none']:
        opened = before is None or before.is_punctuation or before.key in _BEFORE_NONE or (
            i - 1 in {*person_places(words[:i])})
        return opened and _thing_at(words, end)
    if form in table['lost'] and (
            before is None or before.is_punctuation or before.key in _SEEKERS or after == 'the'
            or any(m <= _NEAR for m in person_places(words[end:]))):
        return False  # "missing: a red coat", "we lost the man"
    return after in _OWNERS or (_thing_at(words, end) and not (
        i and noun_ending_at(words, i - 1)))  # "backpack missing blue jeans"


def _thing_at(words: Sequence[Word], i: int) -> bool:
    """Tell whether what is worn or carried, or a color, is at a word."""
    return asked_color(words, i) is not None or _named_at(words, i)


def _named_at(words: Sequence[Word], i: int) -> bool:
    """Tell whether what is worn or carried is named at a word, or behind its color there."""
    color = asked_color(words, i)
    start = i if color is None else color.end
    noun = noun_at(words, start) if start < len(words) else None
    return noun is not None and noun.key in garments()


@cache
def _forms() -> PhraseIndex:
    table = read_table('asked')['typed_negations']
    return PhraseIndex(form for forms in table.values() for form in forms)


# ------------------------------------------------------------------ what is not meant
def _contrast(words: Sequence[Word], i: int) -> tuple[int, int] | None:
    """Find the characters of "red, not blue, coat" between the color that is meant and the coat."""
    first = i
    while first and words[first - 1].key in _ASIDE:
        first -= 1
    first -= bool(first and words[first - 1].key == '(')
    opened = words[first].key
    color = _other_color(words, first, i, opened) if words[i].key == 'not' else None
    end = color or _other_person(words, first, i + 1)
    if end is None:
        return _correction(words, i) if words[i].key == 'not' else None
    closing = words[end].key if end < len(words) else ''
    if (opened == '(' and closing == ')') or (opened == closing == ',' and _goes_on(
            words, first, end + 1, color is not None)):
        end += 1
    return words[first - 1].end, words[end].start if end < len(words) else words[end - 1].end


def _next_thing(words: Sequence[Word], i: int) -> tuple[int, int] | None:
    """Find the characters of "and" behind "shoes not white", before another thing."""
    color = asked_color(words, i + 1) if 0 < i < len(words) - 1 else None
    before = i - 1
    while before > 0 and words[before].key in COPULAS:
        before -= 1
    if color is None or noun_ending_at(words, before) is None:
        return None
    m = color.end
    joined = m + 1 < len(words) and words[m].key in (',', 'and')
    return (words[m].start, words[m].end) if joined and _named_at(words, m + 1) else None


def _goes_on(words: Sequence[Word], first: int, i: int, colored: bool) -> bool:
    """Tell whether what is meant goes on behind a second comma: "red, not blue, coat"."""
    if i >= len(words):
        return False
    if not colored:
        return words[i].key in _CLAUSE
    start = _meant(words, first)
    return noun_at(words, i) is not None and (
        not start or words[start - 1].key in _ARTICLES | {'his', 'her'})


def _meant(words: Sequence[Word], first: int) -> int | None:
    """Find the first word of a color that ends before word ``first``."""
    if first and seldom_color(words[first - 1].key):
        return first - 1
    return next((m for m in range(max(first - 3, 0), first)
                 if (term := asked_color(words, m)) is not None and term.end == first), None)


def _other_color(words: Sequence[Word], first: int, i: int, opened: str) -> int | None:
    """Find the end of a color behind the "not" at word ``i``, if one ends before ``first``."""
    other = asked_color(words, i + 1) if i + 1 < len(words) else None
    if other is None:
        return None
    named = other.end < len(words) and is_spoken(words[other.end])
    thing = noun_ending_at(words, first - 1)
    if thing is not None:  # "brown coat (not black)"
        return other.end if not named and _meant(words, thing.start) is not None else None
    meant = _meant(words, first)
    if meant is None:
        return None
    before = words[meant - 1].key if meant else ''
    # "The coat is red, not blue pants"; "coat red not blue pants"; "in red, not blue jeans".
    apart = (before in COPULAS or before == 'hair' or opened == ',' and before in _CLAUSE
             or meant and noun_ending_at(words, meant - 1) is not None)
    return None if named and apart else other.end


def _other_person(words: Sequence[Word], first: int, i: int) -> int | None:
    """Find the end of a person at word ``i``, if one is named before word ``first``."""
    people = {*person_places(words)}
    named = i + 1 if i < len(words) and words[i].key in ('a', 'an') else i
    end = named + 1
    ends = end >= len(words) or words[end].is_punctuation
    meant = first - 1 in people and not (end < len(words) and words[end].key in _CLAUSE)
    told = first and words[first - 1].key not in FUNCTION_WORDS
    return end if named in people and (meant or ends and told and min(people) < first) else None


def _correction(words: Sequence[Word], i: int) -> tuple[int, int] | None:
    """Find "not red but" of "not red but blue coat", "not black," of "not black, white coat"."""
    other = asked_color(words, i + 1) if i + 1 < len(words) else None
    m = other.end if other else len(words)
    joined = [word.key for word in words[m:m + 2]]
    count = 2 if joined == [',', 'but'] else 1
    if joined[:1] not in ([','], ['but']) or m + count >= len(words) or (
            asked_color(words, m + count) is None):
        return None
    opens = i == 0 or words[i - 1].key in _CLAUSE | _ARTICLES
    if 'but' not in joined[:count] and not opens:
        return None  # "her shirt is not red, blue jeans"
    return words[i].start, words[m + count].start


def denies_a_person(words: Sequence[Word]) -> bool:
    """Tell whether what somebody wears is told who is not meant: "not the man in red".

    >>> [denies_a_person(split_words(query)) for query in ('not the man in red', 'not a man')]
    [True, False]
    """
    return any(i + 1 < len(words) and words[i + 1].key in _CLAUSE
               and (before := word_before_person(words, i)) is not None and is_negator(before)
               for i in person_places(words))
