"""Partial captions: one to three things that a caption says, and what makes them true."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .asked_phrases import AskedPhrase, read_sentence
from .attributes import family_of, garment_type, type_names, write_type
from .color_distance import has_a_base
from .negations import is_negator
from .opposites import word_phrase
from .people import PRONOUNS
from .phrases import split_words
from .stated_facts import asked_facts

__all__ = ['PartialCaption', 'called', 'partial_caption']

_MOST_THINGS = 3
_CLOTHED = ('in', 'wearing', 'with')
_MOST_OTHERS = 6
_SELDOM_SAID = ('accessory', 'beard')


class PartialCaption(NamedTuple):
    """A sentence that says a part of what a caption does.

    Args:
        text: As one may search with it: ``'man in red coat'``.
        facts: All that must hold where it is true, see `mmtbps.lexicon.stated_facts`.
    """

    text: str
    facts: frozenset[str]


def partial_caption(caption: str, rng: np.random.Generator, among_others: float = 0.,
                    seldom_said: float = 1.) -> PartialCaption | None:
    """Write a sentence of one to three things that a caption says; ``None`` if it says none.

    A thing may be called by a wider name (a backpack a bag), by its basic color, or without color.

    Args:
        caption: The long one.
        rng: Source of every choice.
        among_others: Share of the sentences that stand among one to six other words of the caption,
            which say nothing of these things.
        seldom_said: Weight in the choice of what people carry, or have on the head or in the face,
            as a multiple of that of what all people have.

    Example:
        >>> caption = 'A man is wearing a maroon coat along with blue jeans.'
        >>> for seed in (2, 3, 8):
        ...     print(partial_caption(caption, np.random.default_rng(seed), among_others=.5).text)
        wearing a man in a coat and blue pants along along with wearing
        man in coat and jeans
        man in red coat and blue pants is
    """
    phrases = _told(caption)
    if not phrases:
        return None
    count = min(rng.integers(1, _MOST_THINGS + 1), len(phrases))
    weights = [seldom_said if phrase.kind in _SELDOM_SAID else 1. for phrase in phrases]
    # As to draw one after the other by weight, in a tenth of the time.
    order = np.argsort(rng.exponential(size=len(phrases)) / weights)[:count]
    chosen = [_reworded(phrases[i], rng) for i in order]
    facts = frozenset(fact for phrase in chosen for fact in asked_facts(phrase))
    text = _write(chosen, rng)
    if among_others and rng.random() < among_others:
        text = _put_among(text, _spare_words(caption), rng)
    return PartialCaption(text, facts)


@lru_cache(maxsize=2**16)  # a training reads the same captions in each epoch
def _told(caption: str) -> tuple[AskedPhrase, ...]:
    """List the phrases of a caption that state a fact."""
    reading = read_sentence(caption)
    return () if reading.doubt else tuple(
        phrase for phrase in reading.phrases if not phrase.negated and asked_facts(phrase))


@lru_cache(maxsize=2**16)
def _spare_words(caption: str) -> tuple[str, ...]:
    """List the words of a caption that are of no phrase, deny nothing and name nobody."""
    held = [(phrase.start, phrase.end) for phrase in read_sentence(caption).phrases]
    return tuple(word.key for word in split_words(caption)
                 if word.key.isalpha() and word.key not in PRONOUNS and not is_negator(word)
                 and not any(start <= word.start < end for start, end in held))


def _put_among(text: str, spare: Sequence[str], rng: np.random.Generator) -> str:
    """Put words before a sentence and behind it; none if there are none."""
    if not spare:
        return text
    count = rng.integers(1, _MOST_OTHERS + 1)
    others = [spare[i] for i in rng.integers(len(spare), size=count)]
    before = rng.integers(count + 1)
    return ' '.join([*others[:before], text, *others[before:]])


def _write(phrases: Sequence[AskedPhrase], rng: np.random.Generator) -> str:
    """Join phrases: with articles behind a person, or as few words as people type."""
    bare = rng.random() < .5
    worn = [phrase for phrase in phrases if phrase.kind != 'gender']
    clothed = all(phrase.kind == 'clothing' for phrase in worn)
    joined = _CLOTHED[rng.integers(len(_CLOTHED))] if clothed else 'with'
    things = [phrase.text if bare else word_phrase(phrase) for phrase in worn]
    listed = ' and '.join(filter(None, [', '.join(things[:-1]), *things[-1:]]))
    who = next((phrase.noun for phrase in phrases if phrase.kind == 'gender'), '')
    who = who if bare else f'a {who or "person"}'
    return ' '.join(filter(None, [who, joined if who and listed else '', listed]))


def _reworded(phrase: AskedPhrase, rng: np.random.Generator) -> AskedPhrase:
    """Say less of a thing: a wider name, a basic color, no color, no other modifiers."""
    wider, plainer = rng.random(2)
    if phrase.kind not in ('clothing', 'accessory'):
        return phrase
    family = family_of(phrase.name)
    if wider < .3 and family and family.fits_all:
        phrase = called(phrase, sorted(family.fits_all)[0])
    own = garment_type(phrase.noun.lower())  # khaki pants are khakis by their color alone
    if phrase.color and plainer < .25:
        phrase = phrase._replace(color='', bases=(), name=own)
    elif len(phrase.bases) == 1 and plainer < .5 and has_a_base(phrase.color.lower()):
        phrase = phrase._replace(color=phrase.bases[0], name=own)
    phrase = phrase._replace(modifiers='', stuff='')
    return phrase._replace(text=phrase.in_words())


def called(phrase: AskedPhrase, name: str) -> AskedPhrase:
    """Call a thing by another name, in the number that it is written in; its text stays.

    >>> called(read_sentence('two red rucksacks').phrases[0], 'bag').noun
    'bags'
    """
    written = type_names().get(phrase.noun.lower())
    plural = written is not None and written.plural
    return phrase._replace(name=name, noun=write_type(name, plural).type)
