"""Plans of the edits worth making, out of the training pairs of a data set."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mmtbps.lexicon import (
    find_color_mentions,
    find_phrases,
    garments,
    split_words,
)
from mmtbps.lexicon.color_switching import CaptionEdit, ColorSwitcher
from mmtbps.records import PairRecord
from mmtbps.registry import TASK_UTILS

from ..runs.plan import Job
from .base import BaseEditPlanner
from .left_out import left_out_lines, percent
from .token_limit import token_counter

__all__ = ['ColorSwitchPlanner']

_DULL = frozenset('a an the his her their its and or with in of is are was were'.split())


@TASK_UTILS.register_module()
class ColorSwitchPlanner(BaseEditPlanner):
    """Planner that gives a garment of each image of a training split another colour.

    Args:
        mode: See `ColorSwitcher`. ``'paper'`` with ``images_per_person=1`` is the official data.
        regions: See `ColorSwitcher`.
        min_distance: See `ColorSwitcher`.
        edits_per_image: Most edits of one image, each another garment or colour.
        images_per_person: See `BaseEditPlanner`.
        tokenizer: Folder or hub name of the text encoder's tokenizer, or of the diffusion model
            that has it in its folder ``tokenizer``; drops captions that it would cut. ``None``
            checks no length.
        max_tokens: What the text encoder reads, special tokens included.
        max_edits: See `BaseEditPlanner`.
        seed: See `BaseEditPlanner`.
        allow_outside: See `BaseEditPlanner`.

    Raises:
        MissingFile: If the tokenizer is a path to no folder.
        BadValue: If a number is below 1, or as `ColorSwitcher`.

    Example:
        >>> record = PairRecord('a/1.jpg', ('A man in a red coat.',), person_id=7, split='train')
        >>> job, = ColorSwitchPlanner().plan([record], 'mine')
        >>> job.output
        {'captions': ['A man in a pink coat.'], 'group': '7/upper/coat/pink'}
    """

    def __init__(self, mode: str = 'lexicon', regions: Sequence[str] = ('upper', 'lower', 'full'),
                 min_distance: float = 30., edits_per_image: int = 1,
                 images_per_person: int | None = None, tokenizer: str | None = None,
                 max_tokens: int = 77, max_edits: int | None = None, seed: int = 0,
                 allow_outside: bool = False) -> None:
        super().__init__(edits_per_image, images_per_person, max_edits, seed, allow_outside)
        count = None if tokenizer is None else token_counter(tokenizer)
        self.switcher = ColorSwitcher(mode, regions, min_distance, count, max_tokens)

    def edits_of(self, source: dict[str, Any], rng: np.random.Generator) -> list[Job]:
        edits = self.switcher.switch(source['captions'], rng, self.edits_per_image)
        return [_job(source, edit) for edit in edits]

    def check(self, records: Iterable[PairRecord], top: int = 15) -> str:
        """Report how much of the data set can be edited, and what is not understood or left out.

        Args:
            records: Pairs of the train split.
            top: Number of phrases of each kind to list.

        Raises:
            BadValue: As :meth:`BaseEditPlanner.plan`.
        """
        images = self.images_of(records)
        editable = sum(bool(self.switcher.options(captions)) for captions in images.values())
        captions = [caption for texts in images.values() for caption in texts]
        nouns, hues = Counter(), Counter()
        mentioned = 0
        for caption in captions:
            mentions = find_color_mentions(caption)
            mentioned += any(m.region in self.switcher.regions for m in mentions)
            hues.update(caption[slice(*m.span)].lower() for m in mentions if m.noun is None)
            nouns.update(_bare_garments(caption))
        lines = [f'{editable} of {len(images)} images ({percent(editable, len(images))}) have a '
                 'garment whose colour can change',
                 f'{mentioned} of {len(captions)} captions ({percent(mentioned, len(captions))}) '
                 'name the colour of such a garment']
        for title, counts in (('a colour, but no known garment', hues),
                              ('a garment, but no known colour', nouns)):
            lines.append(f'{sum(counts.values())} x {title}; most often:')
            lines += [f'{count:>8} {phrase}' for phrase, count in counts.most_common(top)]
        return '\n'.join([*lines, *left_out_lines(captions, self.switcher.regions)])


def _job(source: dict[str, Any], edit: CaptionEdit) -> Job:
    spans = []
    for place in edit.replacements:
        after = edit.target_captions[place.caption]
        spans.append(dict(
            caption=place.caption, start=place.source[0], end=place.source[1],
            phrase=list(place.phrase), target=list(place.target),
            target_phrase=list(place.target_phrase), replacement=after[slice(*place.target)]))
    first = edit.replacements[0]
    old = edit.source_captions[first.caption][slice(*first.source)]
    change = dict(kind='color', region=edit.region, noun=edit.noun,
                  old=dict(text=old, bases=[edit.old_color]),
                  new=dict(text=spans[0]['replacement'], bases=[edit.new_color]),
                  kept=list(edit.kept), spans=spans)
    group = f'{source["person_id"]}/{edit.region}/{edit.noun}/{edit.new_color}'
    return Job(source, change, dict(captions=list(edit.target_captions), group=group))


def _bare_garments(caption: str) -> Iterator[str]:
    """Yield the garments outside every colour phrase, with the word before them."""
    covered = [m.span for m in find_color_mentions(caption)]
    words = split_words(caption)
    for phrase in find_phrases(caption):
        inside = any(start <= phrase.start < end for start, end in covered)
        if inside or phrase.key not in garments():
            continue
        before = [word for word in words if word.end <= phrase.start][-1:]
        if before and not before[0].is_punctuation and before[0].key not in _DULL:
            yield f'{before[0].key} {phrase.key}'
