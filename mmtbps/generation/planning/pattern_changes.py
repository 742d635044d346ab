"""Exchange of the pattern of a garment in captions: a striped shirt becomes a plaid one."""

from collections.abc import Callable, Sequence, Set

from mmtbps.lexicon import (
    AttributeReading,
    PatternPhrase,
    Word,
    WornItem,
    family_of,
    read_attributes,
)
from mmtbps.lexicon.vocabulary import read_table

from .attribute_change import AttributeChange, Rewording, reword
from .rewording import TextEdit, replace_words
from .same_garment import certain_items, find_items, worn_near

__all__ = ['PLAIN', 'pattern_changes', 'reword_pattern']

PLAIN = 'plain'


def pattern_changes(captions: Sequence[str]) -> list[AttributeChange]:
    """List every pattern that a garment of the captions may get.

    A garment of which no caption tells a pattern counts as plain: whatever it is in the picture,
    the captions are true of it with another pattern.

    >>> [change.new for change in pattern_changes(['A man in a striped red shirt.'])]
    ['plain', 'plaid', 'floral', 'polka dot']
    """
    readings = [read_attributes(caption) for caption in captions]
    table = read_table('attributes')
    found: dict[AttributeChange, None] = {}
    for reading in readings:
        for item in certain_items(reading):
            if item.type not in table['patterned_garments']:
                continue
            told = {name for r in readings for i in r.items if i.type == item.type
                    for name in i.pattern_names}
            for old in told or {PLAIN}:
                found.update(dict.fromkeys(
                    AttributeChange('pattern', item.garment.region, item.type, old, new)
                    for new in table['patterns'] if old and new not in told | {old}))
    return sorted(found, key=lambda change: (change.noun, change.old,
                                             list(table['patterns']).index(change.new)))


def reword_pattern(captions: Sequence[str], change: AttributeChange) -> list[Rewording | None]:
    """Write every caption after a garment has changed its pattern; ``None`` for one left out."""
    readings = [read_attributes(caption) for caption in captions]
    near = worn_near(change.region)
    certain = [reading for reading in readings if reading.reading.doubt is None]
    others = {(i.type, i.pattern_names) for r in certain for i in r.items if near(i)
              and i.type != change.noun and any(j.type == change.noun for j in r.items)}
    found = find_items(readings, change.noun, lambda i: near(i) and bool(i.patterns),
                       _kin(change.noun))
    return [None if items is None else _reword(caption, reading, items, change, near, others)
            for caption, reading, items in zip(captions, readings, found, strict=True)]


def _kin(noun: str) -> Set[str]:
    """Return the types that a garment may be meant by: those of its kind, and "top"."""
    family = family_of(noun)
    return frozenset() if family is None else frozenset(
        family.kinds[family.kind_of(noun)]) | family.fits_all


def _reword(caption: str, reading: AttributeReading, items: Sequence[WornItem],
            change: AttributeChange, near: Callable[[WornItem], bool],
            others: Set[tuple[str, tuple[str, ...]]]) -> Rewording | None:
    """Write one caption, in which ``items`` are the garment."""
    if reading.loose or any(item.pattern_names not in ((), (change.old,)) for item in items):
        return None
    if any(i.patterns and near(i) and i not in items and (i.type, i.pattern_names) not in others
           for i in reading.items):
        return None
    if PLAIN in (change.old, change.new) and any(len(item.bases) > 1 for item in items):
        return None
    told = [item for item in items if item.patterns]
    if not told and change.old == PLAIN and items:
        told = [item for item in items if item.type == change.noun][:1]
    edits: list[TextEdit] | None = []
    for item in told:
        more = _exchange(caption, reading, item, change.new)
        edits = None if edits is None or more is None else edits + more
    return reword(caption, reading, told, edits)


def _exchange(caption: str, reading: AttributeReading, item: WornItem,
              new: str) -> list[TextEdit] | None:
    """Write a pattern in the place of another one, or before a garment that has none."""
    words, entry = reading.words, read_table('attributes')['patterns'][new]
    adjective = entry['adjectives'][0]
    color = _color_before(words, item)
    if not item.patterns:
        chain = next(i for i, word in enumerate(words) if word.start == item.garment.start)
        after_color = color and words[color[1]].key != ','
        place = color[1] if after_color else min(chain, item.name)
        return replace_words(caption, words, place, place, adjective)
    pattern: PatternPhrase = item.patterns[0]
    gone = TextEdit(words[pattern.start - 1].end, words[pattern.end - 1].end, '')
    if pattern.place == 'with':
        if entry['nouns']:
            return replace_words(caption, words, pattern.end - 1, pattern.end, entry['nouns'][0])
        place = color[0] if color else item.name
        return None if new != PLAIN else [
            *replace_words(caption, words, place, place, adjective), gone]
    if new == PLAIN and color and color[1] == pattern.start:  # "a plain red shirt"
        return [*replace_words(caption, words, color[0], color[0], adjective), gone]
    said = adjective if pattern.place == 'before' else entry['predicate']
    return replace_words(caption, words, pattern.start, pattern.end, said)


def _color_before(words: Sequence[Word], item: WornItem) -> tuple[int, int] | None:
    """Return the words of the color that stands before a garment."""
    mention = item.garment.mention
    if mention is None or mention.predicative:
        return None
    inside = [i for i, word in enumerate(words)
              if mention.color[0] <= word.start < mention.color[1]]
    return (inside[0], inside[-1] + 1) if inside[-1] < item.name else None
