"""Removal of one thing from a sentence that reads well afterwards."""

from collections.abc import Sequence

from mmtbps.lexicon import AttributeReading, Word, WornItem
from mmtbps.lexicon.grammar import AUXILIARIES, COPULAS, FUNCTION_WORDS, color_term, noun_chain_at
from mmtbps.lexicon.people import person_noun
from mmtbps.lexicon.vocabulary import read_table

from .rewording import TextEdit, apply_edits

__all__ = ['remove_item']

_ENDS = frozenset('.!;')
_DETERMINERS = frozenset('a an the his her their'.split())
_JOINERS = frozenset({'and', '&', ','})
_PARTICIPLES = frozenset({'with', 'wearing', 'carrying', 'holding', 'having'})
_VERBS = frozenset('wears carries holds has wore carried held had'.split())
_AFTER = frozenset('in while who wearing carrying holding'.split()) | COPULAS | _VERBS
_SUBJECTS = frozenset({'he', 'she'})
_LEADS = frozenset({'along', 'together', 'while'})
# Words of a phrase after which a sentence may end.
_OBJECTS = frozenset({'it', 'this', 'these', 'those'})
_PLACED = frozenset('slung hanging draped strapped worn hung'.split())
_PLACES = frozenset('on over in around across at under from'.split())
_BESIDE_PLACES = _DETERMINERS | frozenset('one both left right each of'.split())
_EMPTY_SUBJECTS = frozenset('there it'.split())
_MAX_PLACE, _MAX_NOUN = 4, 6


def remove_item(caption: str, reading: AttributeReading, item: WornItem) -> str | None:
    """Take a thing out of a caption; ``None`` if what is left might not be a sentence.

    >>> from mmtbps.lexicon import read_attributes
    >>> caption = 'A man in a red coat, jeans and a backpack.'
    >>> reading = read_attributes(caption)
    >>> remove_item(caption, reading, reading.items[-1])
    'A man in a red coat and jeans.'
    """
    words = reading.words
    start = next((m + 1 for m in range(item.first - 1, -1, -1) if words[m].key in _ENDS), 0)
    stop = next((m for m in range(item.last, len(words)) if words[m].key in _ENDS), len(words))
    first, end = _extent(words, item, start, stop)
    edits = _without_phrase(caption, words[:stop], first, end, start)
    if edits is None:
        edits = _without_sentence(caption, reading, item, start, stop)
    if edits is None:
        return None
    text = apply_edits(caption, edits).strip()
    return text or None


def _extent(words: Sequence[Word], item: WornItem, start: int, stop: int) -> tuple[int, int]:
    """Find the whole phrase: "a pair of dark glasses", "a black bag over her left shoulder"."""
    first, end = item.first, item.last
    mention = item.garment.mention
    if mention and mention.span[1] > words[end - 1].end:  # "a bag in black"
        end = next(m for m in range(stop) if words[m].end == mention.span[1]) + 1
    if first - 2 >= start and [w.key for w in words[first - 2:first]] == ['pair', 'of']:
        first -= 2
    if first > start and words[first - 1].key in _DETERMINERS:
        first -= 1
    while (place := _place_end(words, end, stop)) is not None:
        end = place
    return first, end


def _place_end(words: Sequence[Word], i: int, stop: int) -> int | None:
    """Return the index after a place of the body that is named at word ``i``."""
    i += i < stop and words[i].key in _PLACED
    if i >= stop or words[i].key not in _PLACES:
        return None
    for m in range(i + 1, min(i + 1 + _MAX_PLACE, stop)):
        if words[m].key in read_table('attributes')['body_places']:
            return m + 1
        if words[m].key not in _BESIDE_PLACES:
            return None
    return None


def _without_phrase(caption: str, words: Sequence[Word], first: int, end: int,
                    start: int) -> list[TextEdit] | None:
    """Remove a phrase from its sentence, which ends with ``words``."""
    if first == start:
        return None
    left = words[first - 1].key
    following = end
    while following < len(words) and words[following].key in _JOINERS:
        following += 1
    joined = end < following < len(words)
    listed = joined and _is_listed(words, following)
    if left in _PARTICIPLES | _VERBS or left == 'on' and words[first - 2].key == 'has':
        if listed:  # "with a hat and a bag"
            return [TextEdit(words[first].start, words[following].start, ''),
                    *_comma_of_two(words, following)]
        return _without_verb(caption, words, first - 1 - (left == 'on'), end, start)
    if left in ('and', '&') and not listed and (end == len(words) or words[end].key == ','):
        return _without_last(words, first, end, start)
    if left == ',' and (listed or end == len(words) or words[end].key == ','):
        return _without_middle(words, first, end, start, following)
    return None


def _without_verb(caption: str, words: Sequence[Word], begin: int, end: int,
                  start: int) -> list[TextEdit] | None:
    """Remove a phrase with the word before it: "with a hat", "and carries a bag"."""
    if words[begin].key == 'with' and begin > start and words[begin - 1].key in COPULAS:
        return None
    begin, finite = _verb_start(words, begin, start)
    last = end == len(words) or words[end].key == ','
    joined = begin > start and words[begin - 1].key == 'and'
    if begin == start:
        if finite or end + 1 >= len(words) or words[end].key != ',':
            return None
        return _opened_by(caption, words, start, end + 1)
    goes_on = last or words[end].key in _AFTER or words[end].key.endswith('ing') or (
        words[end].key in read_table('reading')['not_nouns'])
    if (finite and not joined) or (joined and not last) or not goes_on:
        return None
    begin -= joined
    aside = last and begin > start and words[begin - 1].key == ','
    begin -= aside
    if aside and end + 1 < len(words) and not _adds_more(words[end + 1]):
        end += 1  # "a man, with a hat, looks down"
    if begin <= start or words[begin - 1].key in FUNCTION_WORDS - _OBJECTS:
        return None
    gone = [TextEdit(words[begin - 1].end, words[end - 1].end, '')]
    commas = _list_commas(words, begin, start) if joined and not aside else None
    return [*gone, _joined(words, commas)] if commas else gone


def _verb_start(words: Sequence[Word], begin: int, start: int) -> tuple[int, bool]:
    """Find the first word that goes with a verb or "with", and whether a verb is finite there."""
    finite = words[begin].key in _VERBS
    if begin > start and (words[begin - 1].key in COPULAS
                          or words[begin - 1].key.endswith(("'s", '’s'))):  # "and he's carrying"
        finite, begin = True, begin - 1
    before = _SUBJECTS if finite else _LEADS
    while begin > start and words[begin - 1].key in before | {'also'}:
        begin -= 1
    return begin, finite


def _adds_more(word: Word) -> bool:
    """Tell whether a word begins one more description, before which a comma may stand."""
    return word.key in _PARTICIPLES | {'and', 'who', 'while', 'in'} or word.key.endswith('ing')


def _opened_by(caption: str, words: Sequence[Word], start: int, i: int) -> list[TextEdit]:
    """Let a sentence begin at word ``i``."""
    a, b = words[start].start, words[i].start
    letter = caption[b].upper() if caption[a].isupper() else caption[b]
    return [TextEdit(a, b + 1, letter)]


def _without_last(words: Sequence[Word], first: int, end: int,
                  start: int) -> list[TextEdit] | None:
    """Remove the last of a list: "a coat, jeans and a bag"."""
    before = first - 1 - (words[first - 2].key == ',')
    commas = _list_commas(words, before, start)
    if commas is None:
        return None
    edits = [TextEdit(words[before - 1].end, words[end - 1].end, '')]
    return [*edits, _joined(words, commas)] if commas else edits


def _joined(words: Sequence[Word], commas: Sequence[int]) -> TextEdit:
    """Put "and" before what is the last of a list now."""
    return TextEdit(words[commas[0]].start, words[commas[0]].end, ' and')


def _without_middle(words: Sequence[Word], first: int, end: int, start: int,
                    following: int) -> list[TextEdit] | None:
    """Remove one of a list that is neither its first nor after "and"."""
    commas = _list_commas(words, first - 1, start)
    if commas is None:
        return None
    gone = [TextEdit(words[first - 2].end, words[end - 1].end, '')]
    if not commas and following - end == 2:  # "a coat, a bag, and jeans"
        gone.append(TextEdit(words[end].start, words[end].end, ''))
    return gone


def _comma_of_two(words: Sequence[Word], i: int) -> list[TextEdit]:
    """Take the comma out of "a coat, and jeans", where a list begins at word ``i``."""
    comma = next((m for m in range(i, len(words)) if words[m].key in _JOINERS), len(words))
    if comma + 1 < len(words) and [w.key for w in words[comma:comma + 2]] == [',', 'and']:
        return [TextEdit(words[comma].start, words[comma].end, '')]
    return []


def _list_commas(words: Sequence[Word], end: int, start: int) -> list[int] | None:
    """Find the commas of a list that ends before word ``end``, the last first.

    ``None`` if no verb or preposition governs it.
    """
    commas: list[int] = []
    for m in range(end - 1, start, -1):
        key = words[m].key
        if key in _PARTICIPLES | _VERBS or key == 'in' or key == 'on' and (
                words[m - 1].key in ('has', 'have')):
            return commas if m + 1 < end else None
        if key == ',':
            commas.append(m)
        elif key in ('and', '&'):
            if not (color_term(words, m + 1) and color_term(words, m - 1)):
                return None
        elif key in FUNCTION_WORDS - _DETERMINERS - {'of'} or words[m].is_punctuation:
            return None
    return None


def _is_listed(words: Sequence[Word], i: int) -> bool:
    """Tell whether one more thing of a list begins at word ``i``, no clause."""
    determined = words[i].key in _DETERMINERS
    m = i + determined
    while m < min(i + _MAX_NOUN, len(words)) and (color_term(words, m) or not (
            words[m].is_punctuation or words[m].key in FUNCTION_WORDS)):
        noun = noun_chain_at(words, m)
        if noun:
            return noun.end == len(words) or words[noun.end].key not in COPULAS | AUXILIARIES
        m += 1
    clause = m < len(words) and words[m].key in COPULAS | AUXILIARIES
    # A thing that the lexicon does not know, "a phone", unless it is a person or does something.
    return bool(determined and m > i + 1 and person_noun(words[i:m]) is None and not clause)


def _without_sentence(caption: str, reading: AttributeReading, item: WornItem, start: int,
                      stop: int) -> list[TextEdit] | None:
    """Remove a sentence that is about the thing alone, and neither the first nor the only one."""
    words = reading.words
    a, b = words[start].start, words[stop - 1].end
    alone = not any(other is not item and a <= other.garment.start < b for other in reading.items)
    colored = [m for m in reading.reading.mentions
               if a <= m.span[0] < b and m is not item.garment.mention]
    refers = stop + 1 < len(words) and words[stop + 1].key in _EMPTY_SUBJECTS
    if not start or not alone or colored or refers or words[start - 1].key == ';':
        return None
    end = words[stop].end if stop < len(words) else b
    return [TextEdit(words[start - 1].end, end, '')]
