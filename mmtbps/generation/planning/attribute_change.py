"""Changes of one attribute, and captions written with them."""

from collections.abc import Sequence
from typing import NamedTuple

from mmtbps.lexicon import AttributeReading, WornItem

from .rewording import TextEdit, apply_edits

__all__ = ['AttributeChange', 'Rewording', 'indices_of', 'reword', 'says']


class AttributeChange(NamedTuple):
    """One change of what a person wears or carries.

    Args:
        kind: ``'garment'``, ``'pattern'`` or ``'accessory'``.
        region: `Garment.region` of the thing.
        noun: Its type before the change, or the type that is added.
        old: Its type or pattern; ``''`` for something that is added.
        new: The same afterwards; ``''`` for something that is removed.
    """

    kind: str
    region: str
    noun: str
    old: str
    new: str


class Rewording(NamedTuple):
    """A caption after a change; ``changed`` are the indices of the items whose text changed."""

    text: str
    changed: frozenset[int] = frozenset()


def reword(caption: str, reading: AttributeReading, items: Sequence[WornItem],
           edits: Sequence[TextEdit] | None) -> Rewording | None:
    """Apply the edits of some items of a caption; ``None`` stays ``None``."""
    if edits is None:
        return None
    return Rewording(apply_edits(caption, edits), indices_of(reading, items))


def indices_of(reading: AttributeReading, items: Sequence[WornItem]) -> frozenset[int]:
    """Return the places of some items among all those of their caption."""
    return frozenset(i for i, item in enumerate(reading.items) if item in items)


def says(after: AttributeReading, before: AttributeReading, changed: frozenset[int],
         change: AttributeChange) -> bool:
    """Tell whether a caption says of the changed items what was asked, of all else what it said."""
    expected = []
    for i, item in enumerate(before.items):
        type_, bases, patterns, doubt = _said_of(item)
        if i not in changed:
            expected.append((type_, bases, patterns, doubt))
        elif change.kind == 'pattern':
            expected.append((type_, bases, (change.new,), doubt))
        elif change.new:
            expected.append((change.new, bases, patterns, doubt))
    found = [_said_of(item) for item in after.items]
    if change.kind == 'accessory' and not change.old and len(found) > len(expected):
        added = found.pop()
        if added[0] != change.new or added[1] or added[2]:
            return False
    return after.reading.doubt is None and found == expected and _rest(after) == _rest(before)


def _said_of(item: WornItem) -> tuple[str, tuple[str, ...], tuple[str, ...], str | None]:
    return item.type, item.bases, item.pattern_names, item.garment.doubt


def _rest(reading: AttributeReading) -> list[tuple[str | None, tuple[str, ...]]]:
    """List the colors of all that is neither a garment nor the pattern of one."""
    own = {id(item.garment.mention) for item in reading.items if item.garment.mention}
    spans = [(reading.words[p.start].start, reading.words[p.end - 1].end)
             for item in reading.items for p in item.patterns if p.place == 'with']
    return [(m.noun, m.bases) for m in reading.reading.mentions if id(m) not in own
            and not any(a <= m.color[0] < b for a, b in spans)]
