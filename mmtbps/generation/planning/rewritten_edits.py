"""Captions of an edit in the words of a rewriter, where they say what the rules say."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from mmtbps.lexicon import (
    AttributeReading,
    WornItem,
    indefinite_article,
    read_attributes,
    unknown_words,
)
from mmtbps.lexicon.attributes import type_names

from ..rewriting import CaptionRewriter, RetellRequest, unfaithful
from .attribute_edits import AttributeEdit

__all__ = ['describe_change', 'rewrite_edit', 'says_the_same']


def describe_change(edit: AttributeEdit) -> str:
    """Say in a sentence, without its capital and full stop, what is different after an edit.

    >>> describe_change(AttributeEdit('garment', 'upper', 'shirt', 'shirt', 'hoodie', '',
    ...                               (), (), ()))
    'the shirt is a hoodie now'
    """
    is_ = 'are' if type_names()[edit.noun].plural else 'is'
    if edit.kind == 'pattern':
        return f'the {edit.noun} {is_} {edit.new} now'
    bare = edit.new.startswith('no ') or type_names()[edit.new].plural
    new = edit.new if bare else f'{indefinite_article(edit.new)} {edit.new}'
    if edit.kind == 'accessory' and 'no ' in (edit.old[:3], edit.new[:3]):
        return f'the person has {new} now'
    return f'the {edit.noun} {is_} {new} now'


def rewrite_edit(edit: AttributeEdit, rewriter: CaptionRewriter, image: str, seed: int,
                 fits: Callable[[str], bool] = bool) -> AttributeEdit | None:
    """Have the captions that an edit changes written by a rewriter; ``None`` if it writes none.

    A caption without an answer that `says_the_same` is left out. One that the edit leaves as it is
    stays.

    Args:
        edit: The edit, with captions by rules.
        rewriter: Writes captions after a change.
        image: Image path in the annotation file.
        seed: For every random draw of this edit.
        fits: Whether an answer is short enough.
    """
    change, kept = describe_change(edit), []
    used: set[str] = set()
    for index, source, target in zip(edit.kept, edit.source_captions, edit.target_captions,
                                     strict=True):
        if source != target:
            answers, = rewriter.rewrite([RetellRequest(
                f'{image}/{index}', (source,), None, seed + index, image, change)])
            # A recorded file answers with all captions of the image.
            target = next((text for text in answers if text not in used and fits(text)
                           and says_the_same(source, target, text)), None)
        if target is not None:
            used.add(target)
            kept.append((index, source, target))
    if all(source == target for _, source, target in kept):
        return None
    indices, sources, targets = zip(*kept, strict=True)
    return replace(edit, kept=indices, source_captions=sources, target_captions=targets)


def says_the_same(source: str, target: str, text: str) -> bool:
    """Tell whether a text says of a change what the rules say, and nothing that they do not.

    It may leave out what does not change.

    >>> says_the_same('A man in a red shirt and a hat.', 'A man in a red hoodie and a hat.',
    ...               'The man wears a red hooded sweatshirt.')
    True
    """
    before, wanted, found = map(read_attributes, (source, target, text))
    new = _said_of(wanted) - _said_of(before)
    known = set(unknown_words(before.words)) | set(unknown_words(wanted.words))
    return (unfaithful([target], text) is None
            and all(any(_agrees(item, other) for other in wanted.items) for item in found.items)
            and all(any(item.type == type_ and item.pattern_names == patterns
                        for item in found.items) for type_, patterns in new)
            and {p.name for p in found.loose} <= {p.name for p in wanted.loose}
            and set(unknown_words(found.words)) <= known)


def _said_of(reading: AttributeReading) -> Counter[tuple[str, tuple[str, ...]]]:
    return Counter((item.type, item.pattern_names) for item in reading.items)


def _agrees(item: WornItem, wanted: WornItem) -> bool:
    """Tell whether an item is one of the captions by rules, if perhaps with less said of it."""
    return (item.type == wanted.type and item.bases in ((), wanted.bases)
            and item.pattern_names in ((), wanted.pattern_names)
            and item.garment.doubt in (None, wanted.garment.doubt))
