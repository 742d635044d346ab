"""Places to change in the captions of an image, and the captions that would not stay true."""

from collections.abc import Sequence
from typing import NamedTuple

from .caption_reading import CaptionReading, read_caption
from .garment_phrases import GarmentPhrase
from .mentions import ColorMention
from .phrases import split_words
from .vocabulary import garment_name

__all__ = ['OVERLAPS', 'Span', 'Target', 'certain_mentions', 'edit_spans', 'is_plain']

#: Characters of a text, ``[start, end)``.
Span = tuple[int, int]

#: Garments of these regions cover, or hide, each other.
OVERLAPS = {'upper': ('upper', 'full'), 'lower': ('lower', 'full'),
             'full': ('upper', 'lower', 'full')}

_DRESSED = frozenset('in wearing wears wear with'.split())
_ALL = frozenset({'clothes', 'clothing', 'outfit'})


class Target(NamedTuple):
    """A garment in a colour.

    Args:
        noun: The garment, as `garment_name` says it.
        region: Region of the body it is worn on.
        color: Basic colour.
    """

    noun: str
    region: str
    color: str


def certain_mentions(reading: CaptionReading) -> list[ColorMention]:
    """List the colours of garments that a caption certainly says to be worn."""
    if reading.doubt is not None:
        return []
    return [g.mention for g in reading.garments if g.mention is not None and g.doubt is None]


def edit_spans(captions: Sequence[str], target: Target) -> list[list[tuple[Span, Span]] | None]:
    """Find the (colour, phrase) spans to change in each caption; ``None`` drops it."""
    found = [read_caption(caption) for caption in captions]
    naming = [reading.mentions for reading in found
              if any(_names(m, target) for m in reading.mentions)]
    # Other garments of the region: in the captions that name the target they are not the target.
    others = {(garment_name(m.noun), m.bases) for mentions in naming for m in mentions
              if _near(m, target) and not _names(m, target)}
    return [None if _is_doubtful(reading, target) else
            _plan_one(caption, reading.mentions, target, others)
            for caption, reading in zip(captions, found, strict=True)]


def _is_doubtful(reading: CaptionReading, target: Target) -> bool:
    """Tell whether it is uncertain what a caption says of the garment."""
    if reading.doubt is not None:
        return True
    named = [g for g in reading.garments if _names(g, target)]
    meant = named or [g for g in reading.garments if _near(g, target)
                      # Another garment that is not worn, without a colour, says nothing of it.
                      and (g.mention or g.doubt not in ('negated', 'not worn'))]
    if any(g.doubt for g in meant):
        return True
    # "The shirt he wears is red": a colour without a noun, and a garment without a colour.
    homeless = any(m.noun is None and m.span[1] == m.color[1] for m in reading.mentions)
    return homeless and any(g.mention is None for g in meant)


def _plan_one(caption: str, mentions: Sequence[ColorMention], target: Target,
              others: set[tuple[str, tuple[str, ...]]]) -> list[tuple[Span, Span]] | None:
    named = [m for m in mentions if _names(m, target)]
    near = [m for m in mentions if _near(m, target) and not _names(m, target)]
    if not named and not others and len(near) == 1 and (
            _is_all(near[0].noun) == _is_all(target.noun)):
        named, near = near, []  # the only garment there, by another word
    if any(m.bases != (target.color,) or not is_plain(caption, m) for m in named):
        return None
    if not named and any(m.bases not in {bases for _, bases in others} for m in near):
        return None
    rest = [m for m in mentions if not any(m is n for n in named)
            and (m in near or m.region == 'part' or m.noun is None or _may_be_two(caption, m))]
    if any(target.color in m.bases for m in rest):
        return None
    return [(m.color, m.span) for m in named]


def _may_be_two(caption: str, mention: ColorMention) -> bool:
    """Tell whether only the last color may be the noun's: "in red and blue jeans"."""
    before = split_words(caption[:mention.color[0]])
    return len(mention.bases) > 1 and not mention.predicative and bool(before) and (
        before[-1].key in _DRESSED)


def _is_all(noun: str) -> bool:
    """Tell whether a noun means all that is worn, of which a garment is a part."""
    return garment_name(noun) in _ALL


def is_plain(caption: str, mention: ColorMention) -> bool:
    """Tell whether the colour words are one term: "dark blue", not "blue and dark"."""
    text = caption[slice(*mention.color)]
    return not any(word.key in ('and', 'or', '&', '/', ',') for word in split_words(text))


def _names(found: ColorMention | GarmentPhrase, target: Target) -> bool:
    return found.noun is not None and garment_name(found.noun) == target.noun


def _near(found: ColorMention | GarmentPhrase, target: Target) -> bool:
    return found.region in OVERLAPS[target.region]
