"""Captions that are wrong in their colors alone: the same words, the colors on other things.

A model that knows which colors a person wears, but not on what, cannot tell such a caption from the
true one. Training takes them as negatives, and a benchmark of attribute binding asks for them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np

from .caption_reading import read_caption
from .color_distance import base_colors, color_distance, colors_beside
from .edit_spans import Span, is_plain
from .mentions import ColorMention, find_color_mentions
from .phrases import split_words
from .vocabulary import garment_name
from .wording import article_edit, with_case_of

__all__ = ['MIN_DISTANCE', 'ColoredThing', 'colored_things', 'permute_colors', 'replace_color',
           'write_colors']

#: CIE Lab distance from which on two colors are not taken for one another.
MIN_DISTANCE = 30.
# A bag that is carried is no garment that is worn, but its color is its own all the same.
_CERTAIN = (None, 'not worn')
_MAX_THINGS = 5


class ColoredThing(NamedTuple):
    """A thing that a caption gives one color.

    Args:
        name: Of the thing, as `garment_name` says it.
        region: Its region, see `mmtbps.lexicon.Garment`.
        base: Basic name of its color.
        text: Words of its color, at the first place.
        spans: All places of its color in the caption, in characters.
    """

    name: str
    region: str
    base: str
    text: str
    spans: tuple[Span, ...]


@lru_cache(maxsize=2**16)  # a training reads the same captions in each epoch
def colored_things(caption: str) -> tuple[ColoredThing, ...]:
    """List the things whose colors may change places with each other.

    They are worn or carried and have one plain color. Hair is none: its colors are others than
    those of clothes, so that "green hair" would give a caption away without the picture. Nothing is
    listed of a caption that `mmtbps.lexicon.read_caption` doubts, nor what it gives two colors or
    perhaps shares one among.

    Example:
        >>> [(thing.name, thing.text) for thing in colored_things(
        ...     'A man with black hair in a dark blue coat; his shoes are white.')]
        [('coat', 'dark blue'), ('shoe', 'white')]
    """
    reading = read_caption(caption)
    if reading.doubt is not None:
        return ()
    found: dict[str, list] = {}
    for garment in reading.garments:
        if garment.mention is not None:
            found.setdefault(garment_name(garment.noun), []).append(garment)
    return tuple(
        ColoredThing(name, one[0].region, one[0].mention.bases[0],
                     caption[slice(*one[0].mention.color)].lower(),
                     tuple(garment.mention.color for garment in one))
        for name, one in found.items()
        if all(garment.doubt in _CERTAIN and is_plain(caption, garment.mention) for garment in one)
        and {garment.mention.bases for garment in one} == {one[0].mention.bases}
        and len(one[0].mention.bases) == 1)


def permute_colors(caption: str, rng: np.random.Generator, count: int = 1,
                   min_distance: float = MIN_DISTANCE, most: int = _MAX_THINGS) -> list[str]:
    """Write a caption with its colors on other things, up to ``count`` times, each another way.

    A permutation that leaves every thing its basic color says the same and is none; so is one after
    which each color could be taken for the former one.

    Args:
        caption: The true one.
        rng: Source of every choice.
        count: Captions wanted; there are fewer where the caption names few colors.
        min_distance: CIE Lab distance that the color of one thing at least has to move.
        most: Things at most that get another color; with 2, two exchange theirs.

    Example:
        >>> permute_colors('A man in a red coat, an orange hat and red shoes.',
        ...                np.random.default_rng(0), count=9)
        ['A man in a red coat, a red hat and orange shoes.', \
'A man in an orange coat, a red hat and red shoes.']
        >>> permute_colors('A dark blue coat and blue jeans.', np.random.default_rng(0))
        []
    """
    if count < 1:
        return []
    things = colored_things(caption)
    orders = list(_permutations(things, min_distance, most))
    pairs = ([(thing.name, things[place]) for thing, place in zip(things, orders[i], strict=True)]
             for i in rng.permutation(len(orders)))
    return _first_right(caption, (({name: other.text for name, other in one},
                                   {name: other.base for name, other in one})
                                  for one in pairs), count)


def replace_color(caption: str, rng: np.random.Generator, count: int = 1,
                  min_distance: float = MIN_DISTANCE) -> list[str]:
    """Write a caption with another color on one thing, up to ``count`` times, each another way.

    The new color is a basic one that the caption names nowhere, and none that the former lies
    beside: a teal coat may be called blue.

    Args:
        caption: The true one.
        rng: Source of every choice.
        count: Captions wanted.
        min_distance: CIE Lab distance from the former color.

    Example:
        >>> replace_color('A man in a red coat.', np.random.default_rng(0))
        ['A man in a green coat.']
    """
    things = colored_things(caption)
    named = {base for _, bases in _named_colors(caption) for base in bases}
    new = [color for color in base_colors() if color not in named]
    options = [(thing.name, color) for thing in things for color in new
               if color_distance(thing.base, color) >= min_distance
               and color not in colors_beside(thing.text)]
    changes = (dict([options[i]]) for i in rng.permutation(len(options)))
    return _first_right(caption, ((change, change) for change in changes), count)


def _first_right(caption: str, changes: Iterable[tuple[Mapping[str, str], Mapping[str, str]]],
                 count: int) -> list[str]:
    """Write the first changes, of words and basic colors by things, that the finder reads back."""
    found: list[str] = []
    for words, bases in changes:
        if len(found) == count:
            break
        text = write_colors(caption, colored_things(caption), words)
        if text not in found and _reads_back(caption, text, bases):
            found.append(text)
    return found


def write_colors(caption: str, things: Sequence[ColoredThing], words: Mapping[str, str]) -> str:
    """Write other color words on things; articles and capitals are put right.

    Args:
        caption: The caption.
        things: Those of `colored_things`.
        words: Name of a thing -> words of its new color.

    Example:
        >>> caption = 'A red coat.'
        >>> write_colors(caption, colored_things(caption), {'coat': 'orange'})
        'An orange coat.'
    """
    split, edits = split_words(caption), []
    for thing in things:
        new = words.get(thing.name, thing.text)
        if new == thing.text:
            continue
        for start, end in thing.spans:
            place = next(i for i, word in enumerate(split) if word.start == start)
            article = article_edit(caption, split, place, new)
            edits += [article] if article else []
            edits.append((start, end, with_case_of(caption[start:end], new)))
    for start, end, text in sorted(edits, reverse=True):
        caption = caption[:start] + text + caption[end:]
    return caption


def _permutations(things: Sequence[ColoredThing], min_distance: float,
                  most: int) -> Iterator[tuple[int, ...]]:
    """Yield the orders of the things' colors that change what is said; one for each meaning."""
    seen = {tuple(thing.base for thing in things)}
    rest = tuple(range(_MAX_THINGS, len(things)))
    for order in permutations(range(min(_MAX_THINGS, len(things)))):
        order += rest
        bases = tuple(things[place].base for place in order)
        moved = max((_distance(thing, things[place])
                     for thing, place in zip(things, order, strict=True)), default=0.)
        if (bases not in seen and moved >= min_distance
                and sum(place != i for i, place in enumerate(order)) <= most):
            seen.add(bases)
            yield order


def _distance(thing: ColoredThing, other: ColoredThing) -> float:
    """Measure how far the color of one thing is from that of another; 0 if it may be called so."""
    if other.base in colors_beside(thing.text) or thing.base in colors_beside(other.text):
        return 0.
    return color_distance(thing.base, other.base)


def _reads_back(source: str, caption: str, bases: Mapping[str, str]) -> bool:
    """Tell whether the finder sees the colors where they were written, all else as before."""
    changed = tuple(
        (noun, (bases[name], ) if noun and (name := garment_name(noun)) in bases else colors)
        for noun, colors in _named_colors(source))
    # Not by way of the cache, in which sentences that are seldom read twice would take all places.
    return changed == _colors_by_noun(find_color_mentions(caption))


def _colors_by_noun(mentions: Iterable[ColorMention]) -> tuple[
        tuple[str | None, tuple[str, ...]], ...]:
    return tuple((mention.noun, mention.bases) for mention in mentions)


@lru_cache(maxsize=2**16)  # a training reads the same captions in each epoch
def _named_colors(caption: str) -> tuple[tuple[str | None, tuple[str, ...]], ...]:
    return _colors_by_noun(read_caption(caption).mentions)
