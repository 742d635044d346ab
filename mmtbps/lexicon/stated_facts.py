"""Facts that a caption states, and those that it rules out: who else a part of it is true of."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple
from zlib import crc32

from .asked_phrases import AskedPhrase, SentenceReading, read_sentence
from .attributes import families, family_of, garment_type, pattern_words
from .body_phrases import gender_of
from .color_distance import base_colors, color_distance, colors_beside, has_a_base
from .color_negatives import MIN_DISTANCE
from .opposites import other_hair, other_types
from .vocabulary import colors, garments, read_table, synonym_table

__all__ = ['StatedFacts', 'asked_facts', 'fact_number', 'image_facts', 'is_narrowed',
           'join_facts', 'small_facts', 'stated_facts']

_OTHER_SPELLING = ('grey', 'blond')
_COLORED = re.compile(r'[ -]colou?red$')


class StatedFacts(NamedTuple):
    """Knowledge of a person that a caption gives.

    Args:
        true: Facts that the caption states.
        false: Facts that cannot hold where it is right.
        unnamed: Facts that it would name, were they so: false as far as captions are complete.
    """

    true: frozenset[str]
    false: frozenset[str]
    unnamed: frozenset[str]


def stated_facts(caption: str) -> StatedFacts:
    """Collect the facts that a caption states, and those that it rules out.

    A red shirt is no blue shirt, and no coat; nothing is said of its pattern. Where two things are
    at one place, as a coat over a shirt, only what neither of them is is ruled out.

    >>> facts = stated_facts('A man in a red shirt carries a backpack.')
    >>> sorted(facts.true)
    ['a backpack', 'a bag', 'a man', 'a shirt', 'a top', 'shirt: red', 'top: red', 'upper: red']
    >>> [fact in facts.false for fact in ('a coat', 'upper: blue', 'a woman', 'upper: dark red')]
    [True, True, True, False]
    >>> 'a hat' in facts.unnamed, 'a suitcase' in facts.unnamed
    (True, False)
    """
    reading = read_sentence(caption)
    if reading.doubt is not None:
        return StatedFacts(frozenset(), frozenset(), frozenset())
    stated = _stated(caption)
    true = {fact for phrase in stated for fact in _told_by(phrase)}
    false = {fact for phrase in reading.phrases
             if phrase.negated and phrase.kind in ('accessory', 'beard')
             and not is_narrowed(phrase, reading) for fact in _denied(phrase)}
    for place in dict.fromkeys(map(_place, stated)):
        ruled_out = [set(_ruled_out(phrase)) for phrase in stated if _place(phrase) == place]
        false |= set.intersection(*ruled_out)
    for phrase in stated:  # of one thing of several, other colors are ruled out all the same
        false |= _colors_ruled_out(phrase, phrase.name)
    return StatedFacts(frozenset(true), frozenset(false - true),
                       frozenset(_unnamed(reading, stated) - true - false))


def join_facts(facts: Iterable[StatedFacts]) -> StatedFacts:
    """Put together what several captions state, and what any of them rules out or is silent on.

    Captions may disagree: a fact may be both true and false then.

    >>> facts = join_facts(map(stated_facts, ['A man in red shorts.', 'A man with a backpack.']))
    >>> 'lower: red' in facts.true, 'a backpack' in facts.true & facts.unnamed
    (True, True)
    """
    nothing = StatedFacts(frozenset(), frozenset(), frozenset())
    return StatedFacts(*(frozenset().union(*parts) for parts in zip(nothing, *facts, strict=True)))


def image_facts(captions: Sequence[str]) -> list[StatedFacts]:
    """Tell for each caption of an image what is known of the image.

    That is what the caption states, and what the others state and none of them disputes: another
    color of the same thing is a dispute, and so is what cannot hold beside it; silence on a hat is
    none. Of a thing that is disputed nothing is told. Nothing that any caption states is false.

    >>> one, other = image_facts(['A man in a red hat.', 'A man in a maroon hat with a scarf.'])
    >>> [fact in one.true for fact in ('a scarf', 'hat: red', 'hat: dark red')]
    [True, True, False]
    >>> [fact in one.false | one.unnamed for fact in ('a scarf', 'hat: dark red', 'hat: blue')]
    [False, False, True]
    >>> 'hat: dark red' in other.true
    True
    """
    each = [*map(stated_facts, captions)]
    joined = join_facts(each)
    disputed = joined.false | {fact for fact in joined.unnamed
                               if ': ' in fact and fact not in small_facts()}
    told = (_told_by(phrase) for caption in captions for phrase in _stated(caption))
    sure = {fact for facts in told if facts[0] not in disputed for fact in facts} - disputed
    return [StatedFacts(facts.true | sure, joined.false - joined.true,
                        joined.unnamed - joined.true) for facts in each]


def _stated(caption: str) -> list[AskedPhrase]:
    """List what a caption says that is there; nothing, where it is in doubt whose it is."""
    reading = read_sentence(caption)
    return [phrase for phrase in reading.phrases
            if not phrase.negated and reading.doubt is None]


def _told_by(phrase: AskedPhrase) -> tuple[str, ...]:
    """List the facts that a phrase states; the thing itself first."""
    return (*asked_facts(phrase), *_wider_names(phrase))


def asked_facts(phrase: AskedPhrase) -> tuple[str, ...]:
    """List what must hold for a phrase to be true; the thing itself first.

    >>> asked_facts(read_sentence('a maroon coat').phrases[0])
    ('a coat', 'upper: red', 'coat: red', 'upper: dark red')
    >>> asked_facts(read_sentence('long blonde hair').phrases[0])
    ('hair: long', 'hair: blonde')
    """
    if phrase.kind == 'gender':
        return (f'a {gender_of(phrase.noun)}', )
    if phrase.kind == 'beard':
        return ('a beard', )
    if phrase.kind == 'hair':
        return tuple(f'hair: {word}' for word in (phrase.style, phrase.color) if word)
    place, word = _place(phrase), _color_of(phrase)
    facts = [f'a {garment_type(phrase.name)}']
    if base := _base_of(phrase):
        facts += [f'{place}: {base}', f'{phrase.name}: {base}']
    if word and not _is_plain(word):
        facts.append(f'{place}: {_finer(word, phrase.bases)}')
    return (*facts, f'{place}: {phrase.pattern}') if phrase.pattern else tuple(facts)


def _denied(phrase: AskedPhrase) -> tuple[str, ...]:
    """List what cannot hold where a phrase is denied: "no red hat" leaves a blue one open.

    Without a bag there is no backpack, and without a cap no baseball cap; without a backpack there
    may be another bag.
    """
    thing, *details = asked_facts(phrase)
    if not phrase.color and not phrase.pattern:
        family = family_of(phrase.name)
        return (thing, *(f'a {name}' for names in (family.kinds if family else ()) for name in names
                         if phrase.name in (*family.fits_all, name.split()[-1])))
    if phrase.color and phrase.pattern:  # one of the two may hold
        return ()
    return tuple(fact for fact in details[-1:] if fact.startswith(f'{phrase.name}: '))


def is_narrowed(phrase: AskedPhrase, reading: SentenceReading) -> bool:
    """Tell whether words that are no fact narrow a phrase: "no large bag", "no grey beard"."""
    before = (reading.sentence[end:phrase.start] for _, end in reading.unread
              if end <= phrase.start)
    return bool(phrase.modifiers or phrase.stuff) or not all(between.strip() for between in before)


@cache
def small_facts() -> frozenset[str]:
    """List the facts of what is small in the picture of a person, and no color.

    What one carries, or has on the head or in the face, styles of hair, patterns of clothes.

    >>> [fact in small_facts() for fact in ('a backpack', 'hair: long', 'upper: striped')]
    [True, True, True]
    >>> [fact in small_facts() for fact in ('a coat', 'a man', 'backpack: red')]
    [False, False, False]
    """
    things = {f'a {name}' for family in families() if not family.is_clothing
              for name in family.names}
    things |= {f'a {garment_type(noun)}' for noun, garment in garments().items()
               if garment.region in ('accessory', 'bag', 'hat')}
    styles = {f'hair: {style}' for style in read_table('asked')['hair_other_styles'] if style}
    return frozenset({'a beard'} | things | styles | {
        f'{family.region}: {name}' for family in families() if family.is_clothing
        for name in _patterns()})


@cache
def fact_number(fact: str) -> int:
    """Number a fact, the same in every process and run.

    >>> fact_number('a coat') == fact_number('a coat') != fact_number('a hat')
    True
    """
    return crc32(fact.encode())


def _place(phrase: AskedPhrase) -> str:
    if phrase.kind not in ('clothing', 'accessory'):
        return phrase.kind
    if phrase.region != 'accessory':
        return phrase.region
    family = family_of(phrase.name)
    return phrase.name if family is None else family.kinds[0][0]


def _wider_names(phrase: AskedPhrase) -> Iterator[str]:
    """List what is true of every such thing: a red backpack is a red bag, a dress shirt a shirt."""
    if phrase.kind not in ('clothing', 'accessory'):
        return
    family, words = family_of(phrase.name), phrase.name.split()
    names = set(family.fits_all) if family else set()
    if len(words) > 1 and words[-1] in garments():
        names.add(garment_type(words[-1]))
    for name in names - {phrase.name}:
        yield f'a {name}'
        if base := _base_of(phrase):
            yield f'{name}: {base}'


def _ruled_out(phrase: AskedPhrase) -> Iterator[str]:
    """List what a thing is not, and what it is not in color."""
    if phrase.kind == 'gender':
        yield {'man': 'a woman', 'woman': 'a man'}[gender_of(phrase.noun)]
        if gender_of(phrase.noun) == 'woman':
            yield 'a beard'
    elif phrase.kind == 'hair':
        yield from (f'hair: {word}' for words in other_hair(phrase) for word in words)
    elif phrase.kind != 'beard':
        place, family = _place(phrase), family_of(phrase.name)
        if phrase.kind != 'accessory' or family is None:
            yield from (f'a {garment_type(name)}' for name in other_types(phrase))
        elif phrase.name not in family.fits_all:  # a backpack is called a bag, too
            yield from (f'a {name}' for name in family.others(phrase.name))
        yield from _colors_ruled_out(phrase, place)
        if phrase.pattern:
            yield from (f'{place}: {name}' for name in _patterns() if name != phrase.pattern)


def _colors_ruled_out(phrase: AskedPhrase, of: str) -> set[str]:
    if phrase.kind not in ('clothing', 'accessory'):
        return set()
    word = _color_of(phrase)
    other = {'light': 'dark', 'dark': 'light'}.get(_shade(word)) if has_a_base(word) else None
    return {f'{of}: {name}' for name in _far_colors(phrase.bases) - colors_beside(word)} | {
        f'{of}: {other} {base}' for base in phrase.bases if other}


@cache
def _shades(base: str) -> frozenset[str]:
    """List the finer colors of a basic one, as facts name them."""
    words = (word for word, color in colors().items() if color.name == base)
    return frozenset(_finer(word, (base, )) for word in (f'light {base}', f'dark {base}', *words)
                     if not _is_plain(word) and has_a_base(word))


def _color_of(phrase: AskedPhrase) -> str:
    """Return the words of a color: a grey-colored coat is a gray coat."""
    return _COLORED.sub('', phrase.color.lower()).replace('grey', 'gray')


def _base_of(phrase: AskedPhrase) -> str:
    """Return the one basic color that a thing is of; ``''`` for none."""
    return phrase.bases[0] if len(phrase.bases) == 1 and has_a_base(_color_of(phrase)) else ''


def _is_plain(word: str) -> bool:
    return word in base_colors() or word in _OTHER_SPELLING


def _finer(word: str, bases: tuple[str, ...]) -> str:
    """Name a finer color: light, dark or bright, where its words say so, or by one of them."""
    if len(bases) != 1 or not has_a_base(word):
        return word
    if shade := _shade(word):
        return f'{shade} {bases[0]}'
    same = (synonym_table().get(word) or (word, ))[0]
    return f'{_shade(same)} {bases[0]}' if _shade(same) else same.removesuffix(f' {bases[0]}')


@cache
def _far_colors(bases: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name in base_colors() if bases and all(
        color_distance(name, base) >= MIN_DISTANCE for base in bases))


def _shade(color: str) -> str:
    """Return ``'light'``, ``'dark'`` or ``'bright'`` if the words of a color say so, and one alone.

    A light maroon is neither a light red nor a dark one.
    """
    found = [shade for shade, names in read_table('asked')['shades'].items()
             if any(word in names for word in color.split())]
    return found[0] if len(found) == 1 else ''


def _unnamed(reading: SentenceReading, stated: Sequence[AskedPhrase]) -> set[str]:
    """Collect what a caption would name: what one may lack, patterns, shades of its colors."""
    places = {_place(phrase) for phrase in reading.phrases}
    facts = {f'a {name}' for family in families() if family.add
             and not {family.region, family.kinds[0][0]} & places for name in family.names}
    if 'beard' not in places:
        facts.add('a beard')
    facts |= {f'{phrase.region}: {name}' for phrase in stated
              if phrase.kind == 'clothing' and not phrase.pattern for name in _patterns()}
    facts |= {f'{of}: {name}' for phrase in stated if phrase.kind in ('clothing', 'accessory')
              for of in (_place(phrase), phrase.name) for name in _near_colors(phrase)}
    return facts | {f'{place}: {shade}' for place in map(_place, stated)
                    for shade in _unnamed_shades([one for one in stated if _place(one) == place])}


def _near_colors(phrase: AskedPhrase) -> tuple[str, ...]:
    """List colors near that of a thing which its words are not said of.

    Basic ones that look much like it, unless its words lie between the two; and the dark shade of a
    bright one, since who says "royal blue" would say "navy" of another.
    """
    word = _color_of(phrase)
    if len(phrase.bases) != 1:
        return ()
    base, = phrase.bases
    dark = (f'dark {base}', ) if _shade(word) == 'bright' else ()
    return (*dark, *(name for name in base_colors() if name not in colors_beside(word)
                     and 0 < color_distance(name, base) < MIN_DISTANCE))


def _unnamed_shades(phrases: Sequence[AskedPhrase]) -> set[str]:
    """Collect what is finer than the colors at a place, if each thing there has a basic one."""
    if not all(len(phrase.bases) == 1 and _is_plain(_color_of(phrase)) for phrase in phrases):
        return set()
    return {shade for phrase in phrases for shade in _shades(phrase.bases[0])}


@cache
def _patterns() -> tuple[str, ...]:
    return tuple(sorted({name for name in pattern_words().values() if name}))
