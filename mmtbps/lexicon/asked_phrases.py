"""Reading of a query into phrases that can be checked one by one, and the words left unread."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from .affirmed_text import Denied, affirm
from .attribute_reading import WornItem, read_attributes
from .body_phrases import BodyPhrase, find_body_phrases, is_silent
from .grammar import AUXILIARIES, COPULAS, FUNCTION_WORDS, RELATIVES, is_spoken
from .lacking_phrases import Lacking, find_lacking, without_nothing
from .mentions import ColorMention
from .negation_scope import DOUBTFUL, absence_end, negation_depths
from .negations import is_negator
from .people import person_places
from .phrases import Word, split_words
from .seldom_colors import COLORED, either_color, seldom_color
from .typed_negations import denies_a_person
from .typed_queries import spell_out
from .vocabulary import garments, read_table

__all__ = ['NOT_MEANT', 'AskedPhrase', 'SentenceReading', 'read_sentence']

#: Doubt of "not the man in red".
NOT_MEANT = 'somebody who is not meant'

_CLOTHES = frozenset({'upper', 'lower', 'full', 'shoes'})
#: Doubts of a garment for which a query does not ask for it.
_REFUSED = frozenset({'written text', 'only a part'})
_UNSURE_COLOR = 'words that may be a color'
_DETERMINERS = frozenset('a an the any'.split())
_LINKS = COPULAS | AUXILIARIES | RELATIVES
_OPENS_BARE = frozenset('in wearing wears dressed clad all entirely mostly'.split())


class AskedPhrase(NamedTuple):
    """Part of a query that a picture fits or does not; ``start`` and ``end`` in characters.

    Args:
        start: Its first character, after the determiner.
        end: The one after its last.
        text: Words for it alone, without the negation.
        kind: ``'clothing'``, ``'accessory'``, ``'hair'``, ``'beard'`` or ``'gender'``.
        region: `Garment.region` of what is worn; ``''`` for others.
        name: What it is, one name for all forms: ``'coat'``, ``'backpack'``, ``'hair'``, ``'man'``.
        noun: The words that name it: ``'rucksack'``.
        modifiers: Other words before it and its color: ``'long sleeved'``.
        color: Its color as it is written; of hair, the name of the color.
        bases: Basic colors of it.
        pattern: Name of its pattern.
        style: Of hair.
        negated: Whether the query says that it is not so.
        stuff: Words between its color and what names it: ``'leather'``.
    """

    start: int
    end: int
    text: str
    kind: str
    region: str
    name: str
    noun: str = ''
    modifiers: str = ''
    color: str = ''
    bases: tuple[str, ...] = ()
    pattern: str = ''
    style: str = ''
    negated: bool = False
    stuff: str = ''

    def __str__(self) -> str:
        return f'no {self.text}' if self.negated else self.text

    def in_words(self) -> str:
        """Write what is worn or carried, the name of its pattern behind its color."""
        return ' '.join(filter(None, [self.modifiers, self.color, self.pattern, self.stuff,
                                      self.noun]))


class SentenceReading(NamedTuple):
    """All that a query is understood to ask for.

    Args:
        sentence: As it was asked.
        phrases: What can be checked, from left to right.
        unread: ``[start, end)`` of the words that are not.
        affirmed: The query without what it negates, which an encoder would read as its contrary;
            ``''`` where nothing is left.
        doubt: Reason for which nothing can be told apart, as several people; ``None`` for none.
    """

    sentence: str
    phrases: tuple[AskedPhrase, ...]
    unread: tuple[tuple[int, int], ...]
    affirmed: str
    doubt: str | None = None

    @property
    def unread_words(self) -> tuple[str, ...]:
        """The words that are not read, as they are written."""
        return tuple(self.sentence[start:end] for start, end in self.unread)

    @property
    def only_denies(self) -> bool:
        """True if it denies something, and says nothing beside but whether a man or a woman."""
        if not any(phrase.negated for phrase in self.phrases):
            return False
        left, words = read_sentence(self.affirmed), split_words(self.affirmed)
        people = {words[i].start for i in person_places(words)}
        return left.doubt is None and all(phrase.kind == 'gender' for phrase in left.phrases) and (
            all(word.start in people for word in words for start, end in left.unread
                if start <= word.start < end))


class _Found(NamedTuple):
    """A phrase by word indices, with the word that a negation must reach."""

    phrase: AskedPhrase
    first: int
    last: int
    key: int


@lru_cache(maxsize=2**15)  # a training reads the same captions in each epoch
def read_sentence(sentence: str) -> SentenceReading:
    """Read a query: garments with colors and patterns, accessories, hair, beard and gender.

    >>> reading = read_sentence('a tall woman in a red coat without a backpack')
    >>> [str(phrase) for phrase in reading.phrases], reading.unread_words, reading.affirmed
    (['woman', 'red coat', 'no backpack'], ('tall',), 'a tall woman in a red coat')
    """
    spelled = spell_out(sentence)
    words = _as_written(split_words(spelled), spelled, sentence)
    reading = read_attributes(spelled)
    doubt = reading.reading.doubt if reading.reading.doubt in (
        'several people', 'a comparison', 'a mannequin, a display or an animal') else None
    if doubt is None and denies_a_person(words):
        doubt = NOT_MEANT
    if doubt:
        return SentenceReading(sentence, (), _unread(sentence, words, set(), []), sentence, doubt)
    lacking = find_lacking(words)
    # What lacks comes first: "hatless" is the name of no hat.
    found = sorted([*(_lacks(words, each) for each in lacking),
                    *_worn(spelled, words, reading.items),
                    *_bare_colors(spelled, words, reading.reading.mentions),
                    *(_of_body(spelled, words, body) for body in find_body_phrases(words))],
                   key=lambda each: (each.first, -each.last))
    found = [each for i, each in enumerate(found)
             if not any(other.last > each.first for other in found[:i])]
    depths = negation_depths(without_nothing(words, lacking),
                             [(each.first, each.last) for each in found])
    sure = [each for each in found if each.phrase.negated or depths[each.key] != DOUBTFUL]
    phrases = tuple(each.phrase._replace(negated=_is_denied(each, words, depths)) for each in sure)
    covered = {i for each in sure for i in range(each.first, each.last)}
    denied = [Denied(each.first, each.last, each.key)
              for each, phrase in zip(sure, phrases, strict=True) if phrase.negated]
    told = {i for each in denied for i in range(each.last, absence_end(words, each.last))}
    return SentenceReading(sentence, phrases, _unread(sentence, words, covered | told, depths),
                           affirm(sentence, words, denied, depths, covered))


def _as_written(words: Sequence[Word], spelled: str, sentence: str) -> list[Word]:
    """Let words that are spelled shorter than they are written end where the written ones do."""
    if spelled == sentence:
        return list(words)
    ends = [*(word.start for word in words[1:]), len(sentence)]
    return [word._replace(end=max(
        (m + 1 for m in range(word.end, end) if spelled[m] == ' ' and not sentence[m].isspace()),
        default=word.end)) for word, end in zip(words, ends[:len(words)], strict=True)]


# ------------------------------------------------------------------ what is worn
def _worn(sentence: str, words: Sequence[Word], items: Sequence[WornItem]) -> Iterator[_Found]:
    for item in items:
        garment = item.garment
        cloth = garment.region in _CLOTHES
        if garment.doubt in _REFUSED or (garment.doubt == 'not worn' and (
                cloth or garment.region == 'hat')):
            continue
        mention = garment.mention if garment.doubt != _UNSURE_COLOR else None
        if mention and mention.predicative and absence_end(words, item.last) > item.last:
            mention = None  # "her hat is missing and black shoes"
        first, last, key = item.first, item.last, item.name
        denied = _denied_color(words, last) if mention is None else None
        if denied is not None:
            mention, last = denied, _word_after(words, denied.color[1])
            key = last - 1
        elif mention is not None and mention.predicative:
            key = _word_at(words, mention.color[0])
            last = max(last, _word_after(words, mention.color[1]))
        first = min(first, _word_at(words, mention.span[0])) if mention else first
        pattern = next((each for each in item.patterns if each.name), None)
        if pattern is not None and pattern.end > last:
            last = pattern.end
        inside = [i for i in range(item.first, item.name)
                  if not is_silent(words[i].key)
                  and not (mention and mention.color[0] <= words[i].start < mention.color[1])
                  and not any(each.name and each.start <= i < each.end for each in item.patterns)
                  and not words[i].is_punctuation]
        negator = max((i for i in inside if is_negator(words[i])), default=-1)
        inside = [i for i in inside if i > negator]  # "hasn't got any bag"
        name = item.name
        if mention and mention.color[0] < words[item.last - 1].start and (
                words[name].start < mention.color[1]):
            name = _word_after(words, mention.color[1])  # "khaki pants" say their color
        noun = _said(sentence, words[name].start, words[item.last - 1].end)
        color = _said(sentence, *mention.color) if mention else ''
        before, after = (' '.join(_said(sentence, words[i].start, words[i].end) for i in inside
                                  if _follows_color(words[i], mention) == follows)
                         for follows in (False, True))
        phrase = AskedPhrase(
            words[first].start, words[last - 1].end, '', 'clothing' if cloth else 'accessory',
            garment.region, item.type, noun, before, color, mention.bases if mention else (),
            pattern.name if pattern else '', stuff=after)
        phrase = _seldom_colored(phrase)
        yield _Found(phrase._replace(text=phrase.in_words()), first, last, key)


def _seldom_colored(phrase: AskedPhrase) -> AskedPhrase:
    """Read as a color a word that is one only before what is worn: "plum coat", no plum."""
    words, tones = phrase.modifiers.split(), read_table('colors')
    bases = seldom_color(words[-1].lower()) if words else ()
    if phrase.bases or phrase.region not in COLORED or not bases:
        return phrase
    first = len(words) - 1
    while first and words[first - 1].lower() in (*tones['tones'], *tones['shades']):
        first -= 1
    return phrase._replace(modifiers=' '.join(words[:first]), color=' '.join(words[first:]),
                           bases=bases)


def _said(spelled: str, start: int, end: int) -> str:
    """Return words of a query as they are spelled, in single spaces."""
    return ' '.join(spelled[start:end].split())


def _follows_color(word: Word, mention: ColorMention | None) -> bool:
    return mention is not None and not mention.predicative and word.start >= mention.color[1]


def _denied_color(words: Sequence[Word], i: int) -> ColorMention | None:
    """Read the color of "her shirt is not red" behind the noun that ends before word ``i``."""
    m = i
    while m < len(words) and words[m].key in _LINKS:
        m += 1
    if m == i and m + 1 < len(words) and words[m].key in (',', '(') and words[m + 1].key == 'not':
        m += 1  # "a coat, not red"
    if m == len(words) or not is_negator(words[m]) or (
            m == i and words[m].key != 'not' and not words[m].key.endswith("n't")):
        return None
    term = either_color(words, m + 1) if m + 1 < len(words) else None
    if term is None or (term.end < len(words) and is_spoken(words[term.end])):
        return None
    end = words[term.end - 1].end
    return ColorMention((words[m + 1].start, end), (words[i - 1].start, end), None, None,
                        term.bases, True)


def _bare_colors(sentence: str, words: Sequence[Word],
                 mentions: Sequence[ColorMention]) -> Iterator[_Found]:
    """Find "in red", of which nobody says what is red."""
    for mention in mentions:
        first, last = _word_at(words, mention.color[0]), _word_after(words, mention.color[1])
        if mention.noun is None and mention.bases and mention.span[1] == mention.color[1] and (
                first and words[first - 1].key in _OPENS_BARE):
            color = sentence[slice(*mention.color)]
            yield _Found(AskedPhrase(*mention.color, f'{color} clothes', 'clothing', 'full',
                                     'clothes', 'clothes', color=color, bases=mention.bases),
                         first, last, first)


def _word_at(words: Sequence[Word], place: int) -> int:
    """Return the index of the word that begins at a character, or the next."""
    return next(i for i, word in enumerate(words) if word.start >= place)


def _word_after(words: Sequence[Word], place: int) -> int:
    """Return the index after the last word that ends at a character or before."""
    return max(i for i, word in enumerate(words, start=1) if word.end <= place)


# ------------------------------------------------------------------ the body, and what lacks
def _of_body(sentence: str, words: Sequence[Word], body: BodyPhrase) -> _Found:
    text = _said(sentence, words[body.start].start, words[body.end - 1].end)
    if text.lower() == 'bearded':
        text = 'beard'
    if body.kind == 'hair':
        text = read_table('asked')['hair_written'][body.style].replace('{c}', body.color)
        text = ' '.join(text.split())
    key = body.start if body.kind != 'hair' or words[body.start].key != 'hair' else body.end - 1
    return _Found(AskedPhrase(
        words[body.start].start, words[body.end - 1].end, text, body.kind, '', body.name,
        body.name, color=body.color, style=body.style), body.start, body.end, key)


def _lacks(words: Sequence[Word], lacking: Lacking) -> _Found:
    """Make a phrase of "hatless" or "carrying nothing"."""
    region = '' if lacking.name == 'beard' else garments()[lacking.name].region
    kind = ('clothing' if region in _CLOTHES else 'accessory') if region else 'beard'
    return _Found(AskedPhrase(words[lacking.first].start, words[lacking.last - 1].end, lacking.name,
                              kind, region, lacking.name, lacking.name, negated=lacking.said),
                  lacking.first, lacking.last, lacking.first)


def _is_denied(each: _Found, words: Sequence[Word], depths: Sequence[int]) -> bool:
    """Tell whether a query says that a phrase is not so; "not hatless" takes the denial back."""
    before = each.first
    if each.phrase.negated:
        return not (before and is_negator(words[before - 1]))
    if each.phrase.kind == 'gender':  # "not tall, a man", "no hat man"
        while before and words[before - 1].key in _DETERMINERS:
            before -= 1
        return bool(before and is_negator(words[before - 1]))
    return bool(depths[each.key] % 2)


# ------------------------------------------------------------------ the rest
def _unread(sentence: str, words: Sequence[Word], covered: set[int],
            depths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Find the words that say something and are in no phrase, with the negation before them."""
    spans: list[tuple[int, int]] = []
    previous = None
    for i, word in enumerate(words):
        if i in covered or word.is_punctuation or is_silent(word.key) or is_negator(word):
            continue
        start = i
        while start and depths and depths[i] and start - 1 not in covered and (
                words[start - 1].key in FUNCTION_WORDS | {'any'}):
            start -= 1
            if is_negator(words[start]):
                break
        start = start if is_negator(words[start]) else i
        if previous == i - 1 and spans:
            spans[-1] = (spans[-1][0], word.end)
        else:
            spans.append((words[start].start, word.end))
        previous = i
    return tuple(spans)
