"""Plans that give the people of a data set other garments, patterns and accessories."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mmtbps.records import PairRecord
from mmtbps.registry import TASK_UTILS

from ..runs.plan import Job
from .attribute_edits import KINDS, REGIONS, AttributeEdit, AttributeSwitcher
from .base import BaseEditPlanner
from .left_out import left_out_lines, percent
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

    Raises:
        MissingFile: If the tokenizer is a path to no folder.
        BadValue: If a number is below 1, or as `AttributeSwitcher`.

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
                 max_edits: int | None = None, seed: int = 0, allow_outside: bool = False) -> None:
        super().__init__(edits_per_image, images_per_person, max_edits, seed, allow_outside)
        count = None if tokenizer is None else token_counter(tokenizer)
        self.switcher = AttributeSwitcher(kinds, regions, count, max_tokens)

    def edits_of(self, source: dict[str, Any], rng: np.random.Generator) -> list[Job]:
        edits = self.switcher.switch(source['captions'], rng, self.edits_per_image)
        return [_job(source, edit) for edit in edits]

    def check(self, records: Iterable[PairRecord], top: int = 15) -> str:
        """Report how many images can be edited in which way, and what is left out.

        Args:
            records: Pairs of the train split.
            top: Number of changed garments and accessories to list.

        Raises:
            BadValue: As :meth:`BaseEditPlanner.plan`.
        """
        images = self.images_of(records)
        able, changed = Counter(), Counter()
        for captions in images.values():
            edits = [edit for change in self.switcher.options(captions)
                     if (edit := self.switcher.apply(captions, change)) is not None]
            able.update({edit.kind for edit in edits})
            changed.update({(edit.kind, edit.old, edit.new) for edit in edits})
        lines = [f'{able[kind]} of {len(images)} images ({percent(able[kind], len(images))}) '
                 f'allow an edit of kind {kind}' for kind in self.switcher.kinds]
        if changed:
            lines.append('most often:')
            lines += [f'{count:>8} {kind}: {old} -> {new}'
                      for (kind, old, new), count in changed.most_common(top)]
        captions = [caption for texts in images.values() for caption in texts]
        return '\n'.join([*lines, *left_out_lines(captions, self.switcher.regions)])


def _job(source: dict[str, Any], edit: AttributeEdit) -> Job:
    change = dict(kind=edit.kind, region=edit.region, noun=edit.noun, old=dict(text=edit.old),
                  new=dict(text=edit.new), instruction=edit.instruction, kept=list(edit.kept))
    group = f'{source["person_id"]}/{edit.kind}/{edit.region}/{edit.noun}/{edit.new}'
    return Job(source, change, dict(captions=list(edit.target_captions), group=group))
