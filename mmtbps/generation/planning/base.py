"""Frame of the planners of edits: images of a training split, each with its own random choices."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.records import PairRecord, image_name

from ..runs.plan import Job

__all__ = ['BaseEditPlanner']


class BaseEditPlanner(ABC):
    """Planner of edits of the images of a training split.

    The same records and seed give the same plan, and the edits of an image do not depend on the
    other images.

    Args:
        edits_per_image: Most edits of one image.
        images_per_person: Take only the first images of each person; ``None`` for all.
        max_edits: Take only so many, spread evenly over the data set; ``None`` for all.
        seed: Another seed makes other choices.
        allow_outside: Let records name images outside the image folder.

    Raises:
        BadValue: If a number is below 1.
    """

    def __init__(self, edits_per_image: int = 1, images_per_person: int | None = None,
                 max_edits: int | None = None, seed: int = 0, allow_outside: bool = False) -> None:
        for name, value in (('edits_per_image', edits_per_image), ('max_edits', max_edits),
                            ('images_per_person', images_per_person)):
            if value is not None and value < 1:
                raise BadValue(f'{name} must be at least 1, got {value}')
        self.edits_per_image = edits_per_image
        self.images_per_person = images_per_person
        self.max_edits = max_edits
        self.seed = seed
        self.allow_outside = allow_outside

    @abstractmethod
    def edits_of(self, source: dict[str, Any], rng: np.random.Generator) -> list[Job]:
        """Choose the edits of one image, at most `edits_per_image`.

        Args:
            source: As in `Job`.
            rng: Source of every choice.
        """

    def plan(self, records: Iterable[PairRecord], dataset: str) -> list[Job]:
        """Choose the jobs, in the order of the records.

        Args:
            records: Pairs of the train split.
            dataset: Name of the data set; part of each job's identity.

        Raises:
            BadValue: If a record is of another split, is itself generated, or names an image
                outside the image folder.
        """
        jobs = []
        for (image, person), captions in self.images_of(records).items():
            name = f'{self.seed}/{dataset}/{image}'.encode()
            rng = np.random.default_rng(list(hashlib.sha256(name).digest()))
            jobs += self.edits_of(dict(dataset=dataset, split='train', image=image,
                                       person_id=person, captions=captions), rng)
        wanted = min(len(jobs), self.max_edits or len(jobs))
        return [jobs[i * len(jobs) // wanted] for i in range(wanted)]

    def images_of(self, records: Iterable[PairRecord]) -> dict[tuple[str, int], list[str]]:
        """Collect the captions of each image and person, without those that are no text.

        Raises:
            BadValue: As :meth:`plan`.
        """
        images: dict[tuple[str, int], list[str]] = {}
        taken: Counter[int] = Counter()
        for record in records:
            _refuse(record)
            image_name(record.image, 'the pairs to edit', self.allow_outside)
            key = record.image, record.person_id
            if key not in images:
                if taken[record.person_id] == self.images_per_person:
                    continue
                taken[record.person_id] += 1
                images[key] = []
            images[key] += [text for text in record.captions
                            if isinstance(text, str) and text.strip()]
        return images


def _refuse(record: PairRecord) -> None:
    if record.split != 'train':
        raise BadValue(f'{record.image} is in split {record.split!r}: only pairs of train may '
                       'be edited, or a model would be tested on what it was trained with')
    if record.source is not None:
        raise BadValue(f'{record.image} is itself generated (from {record.source}): plan from '
                       'the original annotation file')
