"""Exchange of a garment's type, of its pattern or of an accessory in all captions of an image."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import (
    AttributeReading,
    indefinite_article,
    read_attributes,
    write_type,
)
from mmtbps.lexicon.attributes import type_names

from ..turns import in_turn
from .accessory_changes import accessory_changes, reword_accessory
from .attribute_change import AttributeChange, says
from .garment_changes import garment_changes, reword_garment
from .pattern_changes import PLAIN, pattern_changes, reword_pattern

__all__ = ['REGIONS', 'AttributeEdit', 'AttributeSwitcher']

#: Regions of the lexicon whose attributes change; gates of pixels do not know where shoes are.
REGIONS = ('upper', 'lower', 'full', 'hat', 'bag', 'accessory')
#: Kind -> its changes of some captions, and the captions after one of them.
KINDS = {'garment': (garment_changes, reword_garment),
         'pattern': (pattern_changes, reword_pattern),
         'accessory': (accessory_changes, reword_accessory)}

_KEEP = 'the person, the pose, the face, all {other}clothes and the background exactly the same.'


@dataclass(frozen=True, slots=True)
class AttributeEdit:
    """Captions of an image before and after one attribute changes.

    Args:
        kind: ``'garment'``, ``'pattern'`` or ``'accessory'``.
        region: Region of the body it is worn on.
        noun: The garment or accessory, by the one name of its type; what is added, if nothing
            was there.
        old: Its type or pattern before; ``'no hat'`` if there was none.
        new: The same afterwards.
        instruction: Sentences that tell an image editor what to change and what to keep.
        kept: Indices of the captions that are used; the others would not be true afterwards.
        source_captions: The kept captions as people wrote them.
        target_captions: The same after the change.
    """

    kind: str
    region: str
    noun: str
    old: str
    new: str
    instruction: str
    kept: tuple[int, ...]
    source_captions: tuple[str, ...]
    target_captions: tuple[str, ...]


class AttributeSwitcher:
    """Exchanger of garments, patterns and accessories in captions, by rules.

    The kinds of change:

    * ``'garment'``: a garment becomes another one that covers the same of the body, in its colour;
    * ``'pattern'``: a garment gets, changes or loses a pattern;
    * ``'accessory'``: something carried or worn is added, removed or exchanged.

    A caption is kept only if it stays true and reads well, and if the lexicon then reads in it
    what was asked, and of all else what it read before. One that is doubtful to
    `mmtbps.lexicon.read_caption` is left out, as by `ColorSwitcher`; so is one that may mean the
    garment by a word that is not understood, or speaks of what another type does not have (the
    collar of a shirt).

    Args:
        kinds: Kinds of change to make.
        regions: Regions of `mmtbps.lexicon.Garment` to make them in; ``'shoes'`` may be added.
        count_tokens: Number of tokens of a caption, special ones included. ``None`` does not
            limit the length.
        max_tokens: Captions with more tokens, before or after, are dropped.

    Raises:
        BadValue: If a kind or a region is unknown.

    Example:
        >>> captions = ['A man in a blue shirt.', 'His shirt is blue, his bag is red.']
        >>> edit, = AttributeSwitcher(['garment']).switch(captions, np.random.default_rng(4))
        >>> edit.target_captions
        ('A man in a blue sweater.', 'His sweater is blue, his bag is red.')
        >>> edit.instruction[:32]
        'Change the shirt into a sweater.'
    """

    def __init__(self, kinds: Sequence[str] = tuple(KINDS), regions: Sequence[str] = REGIONS,
                 count_tokens: Callable[[str], int] | None = None, max_tokens: int = 77) -> None:
        for name, values, known in (('kinds', kinds, KINDS),
                                    ('regions', regions, (*REGIONS, 'shoes'))):
            if isinstance(values, str) or not values or set(values) - set(known):
                raise BadValue(f'{name} must be a list out of {tuple(known)}, got {values!r}')
        self.kinds, self.regions = tuple(kinds), tuple(regions)
        self.count_tokens, self.max_tokens = count_tokens, max_tokens

    def switch(self, captions: Sequence[str], rng: np.random.Generator,
               count: int = 1) -> list[AttributeEdit]:
        """Make up to ``count`` different edits of one image, at random, the kinds in turn.

        Args:
            captions: All captions of the image.
            rng: Source of every choice.
            count: Number of edits wanted.
        """
        tried = (self.apply(captions, change)
                 for change in _in_turn(self.options(captions), rng))
        return list(islice(filter(None, tried), count))

    def options(self, captions: Sequence[str]) -> list[AttributeChange]:
        """List every change worth trying."""
        return [change for kind in self.kinds for change in KINDS[kind][0](captions)
                if change.region in self.regions]

    def apply(self, captions: Sequence[str], change: AttributeChange) -> AttributeEdit | None:
        """Carry out one of the `options`; ``None`` if no caption would say it and be true."""
        kept, sources, targets = [], [], []
        for index, written in enumerate(KINDS[change.kind][1](captions, change)):
            if written is None or not self.fits(captions[index], written.text):
                continue
            before, after = read_attributes(captions[index]), read_attributes(written.text)
            if says(after, before, written.changed, change) and not _names_old(after, change):
                kept.append(index)
                sources.append(captions[index])
                targets.append(written.text)
        if sources == targets:
            return None
        return AttributeEdit(
            change.kind, change.region, _shown(change, change.noun),
            _shown(change, change.old) or f'no {change.noun}',
            _shown(change, change.new) or f'no {change.noun}', instruct(change), tuple(kept),
            tuple(sources), tuple(targets))

    def fits(self, *captions: str) -> bool:
        """Tell whether no caption has too many tokens."""
        return self.count_tokens is None or all(
            self.count_tokens(caption) <= self.max_tokens for caption in captions)


def instruct(change: AttributeChange) -> str:
    """Write the sentences that tell an image editor what to change and what to keep.

    >>> instruct(AttributeChange('accessory', 'hat', 'hat', 'hat', ''))[:16]
    'Remove the hat. '
    """
    noun, old, new = (_shown(change, text) for text in (change.noun, change.old, change.new))
    if change.kind == 'pattern':
        task = (f'Give the {noun} {indefinite_article(new)} {new} pattern' if old == PLAIN else
                f'Remove the {old} pattern of the {noun} and leave it plain' if new == PLAIN else
                f'Change the {old} pattern of the {noun} into {indefinite_article(new)} {new} one')
        return f'{task}. Keep the color, {_KEEP.format(other="other ")}'
    a_new = new and (new if type_names()[new].plural else f'{indefinite_article(new)} {new}')
    if change.kind == 'garment':
        return (f'Change the {old} into {a_new}. Keep the color and the pattern, '
                f'{_KEEP.format(other="other ")}')
    task = (f'Add {a_new} to the person' if not old else f'Remove the {old}' if not new else
            f'Change the {old} into {a_new} of the same color')
    return f'{task}. Keep {_KEEP.format(other="")}'


def _shown(change: AttributeChange, text: str) -> str:
    """Write a type as it is spoken of: shoes in the plural."""
    of_shoes = change.region == 'shoes' and change.kind == 'garment' and text
    return write_type(text, plural=True).type if of_shoes else text


def _in_turn(changes: Sequence[AttributeChange],
             rng: np.random.Generator) -> list[AttributeChange]:
    """Shuffle changes so that kinds, and what they do, take turns: additions are many."""
    groups: dict[str, dict[tuple[bool, bool], list[AttributeChange]]] = {}
    for i in rng.permutation(len(changes)):
        does = bool(changes[i].old), bool(changes[i].new)
        groups.setdefault(changes[i].kind, {}).setdefault(does, []).append(changes[i])
    return in_turn([in_turn(kind.values()) for kind in groups.values()])


def _names_old(after: AttributeReading, change: AttributeChange) -> bool:
    """Tell whether a caption still has the old name in it: "shirt's", "shirt-sleeved"."""
    if change.kind == 'pattern' or not change.old:
        return False
    old = {form for form, name in type_names().items() if name.type == change.old}
    new = {m for item in after.items if item.type == change.new
           for m in range(item.name, item.last)}
    return any(old & {word.key, *re.split("[-'’]", word.key)} and (
        word.key in old or word.key not in type_names())
        for m, word in enumerate(after.words) if m not in new)
