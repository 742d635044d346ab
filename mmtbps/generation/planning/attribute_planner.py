"""Plans that give the people of a data set other garments, patterns and accessories."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mmtbps.records import PairRecord
from mmtbps.registry import TASK_UTILS

from ..rewriting import CaptionRewriter, RetellRequest
from ..runs.plan import Job
from .attribute_edits import KINDS, REGIONS, AttributeEdit, AttributeSwitcher
from .base import BaseEditPlanner
from .left_out import left_out_lines, percent
from .rewritten_edits import rewrite_edit
from .token_limit import token_counter

__all__ = ['AttributeEditPlanner']


@TASK_UTILS.register_module()
class AttributeEditPlanner(BaseEditPlanner):
    """Planner that changes a garment, its pattern or an accessory of each image, by rules.

    An editor that follows instructions makes the pictures; what to tell it stands in the plan.

    Args:
        kinds: See `AttributeSwitcher`.
        regions: See `AttributeSwitcher`.
        edits_per_image: Most edits of one image, each another change.
        images_per_person: See `BaseEditPlanner`.
        tokenizer: Folder or hub name of a tokenizer that the new captions must not be too long
            for; ``None`` checks no length.
        max_tokens: Most tokens of a caption, special ones included.
        max_edits: See `BaseEditPlanner`.
        seed: See `BaseEditPlanner`.
        allow_outside: See `BaseEditPlanner`.
        rewriter: Writes the captions that a change leaves false, as `RecordedRewriter` or
            `LanguageModelRewriter` do; ``None`` takes those by rules. The rules choose the change,
            and an answer is kept only if it says what they say. An edit without one is left out.

    Raises:
        MissingFile: If the tokenizer is a path to no folder.
        BadValue: If a number is below 1, the rewriter does not write captions after a change, or
            as `AttributeSwitcher`.

    Example:
        >>> record = PairRecord('a/1.jpg', ('A man in blue jeans.',), person_id=7, split='train')
        >>> job, = AttributeEditPlanner(kinds=['garment']).plan([record], 'mine')
        >>> job.edit['instruction'][:37], job.output
        ('Change the jeans into sweatpants. Kee', {'captions': ['A man in blue sweatpants.'], \
'group': '7/garment/lower/jeans/sweatpants'})
    """

    def __init__(self, kinds: Sequence[str] = tuple(KINDS), regions: Sequence[str] = REGIONS,
                 edits_per_image: int = 1, images_per_person: int | None = None,
                 tokenizer: str | None = None, max_tokens: int = 77,
                 max_edits: int | None = None, seed: int = 0, allow_outside: bool = False,
                 rewriter: CaptionRewriter | dict | None = None) -> None:
        super().__init__(edits_per_image, images_per_person, max_edits, seed, allow_outside)
        count = None if tokenizer is None else token_counter(tokenizer)
        self.switcher = AttributeSwitcher(kinds, regions, count, max_tokens)
        self.rewriter = TASK_UTILS.build(rewriter) if isinstance(rewriter, dict) else rewriter
        if self.rewriter is not None:
            self.rewriter.refuse_changes([RetellRequest('', (), None, seed, change='a change')])

    def edits_of(self, source: dict[str, Any], rng: np.random.Generator) -> list[Job]:
        edits = self.switcher.switch(source['captions'], rng, self.edits_per_image)
        if self.rewriter is None:
            return [_job(source, edit) for edit in edits]
        seeds = rng.integers(2 ** 31, size=len(edits))
        written = [rewrite_edit(edit, self.rewriter, source['image'], int(seed), self.switcher.fits)
                   for edit, seed in zip(edits, seeds, strict=True)]
        return [_job(source, edit, self._writer) for edit in filter(None, written)]

    @cached_property
    def _writer(self) -> dict[str, Any]:
        """Settings of the rewriter, which belong to the identity of a job."""
        return self.rewriter.digest_fields

    def check(self, records: Iterable[PairRecord], top: int = 15) -> str:
        """Report how many images can be edited in which way, and what is left out.

        Args:
            records: Pairs of the train split.
            top: Number of garments and accessories to list.

        Raises:
            BadValue: As :meth:`BaseEditPlanner.plan`.
        """
        images = self.images_of(records)
        able, changed = Counter(), Counter()
        for captions in images.values():
            things = self._changeable(captions)
            able.update({kind for kind, _ in things})
            changed.update(f'{kind}: {noun}' for kind, noun in things if noun)
        lines = [f'{able[kind]} of {len(images)} images ({percent(able[kind], len(images))}) '
                 f'allow an edit of kind {kind}' for kind in self.switcher.kinds]
        if changed:
            lines.append('of what is worn there may change, most often:')
            lines += [f'{count:>8} {thing}' for thing, count in changed.most_common(top)]
        captions = [caption for texts in images.values() for caption in texts]
        return '\n'.join([*lines, *left_out_lines(captions, self.switcher.regions)])

    def _changeable(self, captions: Sequence[str]) -> list[tuple[str, str]]:
        """List the kinds of edit with what each changes; with ``''`` where something is added."""
        found: dict[tuple[str, str], None] = {}
        for change in self.switcher.options(captions):
            thing = change.kind, change.noun if change.old else ''
            if thing not in found and self.switcher.apply(captions, change) is not None:
                found[thing] = None
        return list(found)


def _job(source: dict[str, Any], edit: AttributeEdit, writer: dict[str, Any] | None = None) -> Job:
    change = dict(kind=edit.kind, region=edit.region, noun=edit.noun, old=dict(text=edit.old),
                  new=dict(text=edit.new), instruction=edit.instruction, kept=list(edit.kept),
                  **({} if writer is None else dict(writer=writer)))
    group = f'{source["person_id"]}/{edit.kind}/{edit.region}/{edit.noun}/{edit.new}'
    return Job(source, change, dict(captions=list(edit.target_captions), group=group))
