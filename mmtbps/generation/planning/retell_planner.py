"""Plans of captions to tell anew; pictures stay as they are."""

from collections.abc import Iterable
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.records import PairRecord, image_name
from mmtbps.registry import TASK_UTILS

from ..runs.plan import Job

__all__ = ['RetellPlanner']


@TASK_UTILS.register_module()
class RetellPlanner:
    """Planner that has the captions of every image of the train split told anew.

    Args:
        max_images: Take only so many, spread evenly over the data set; ``None`` for all.
        allow_outside: Let records name images outside the image folder.

    Example:
        >>> record = PairRecord('a/1.jpg', ('A man in a red coat.',), person_id=7, split='train')
        >>> job, = RetellPlanner().plan([record], 'mine')
        >>> job.edit, job.output
        ({'kind': 'retell'}, {'captions': []})
    """

    #: Pictures that a generation made are described as well as real ones.
    takes_generated = True

    def __init__(self, max_images: int | None = None, allow_outside: bool = False) -> None:
        if max_images is not None and max_images < 1:
            raise BadValue(f'max_images must be at least 1, got {max_images}')
        self.max_images, self.allow_outside = max_images, allow_outside

    def plan(self, records: Iterable[PairRecord], dataset: str) -> list[Job]:
        """Make one job of each image, in the order of the records.

        Raises:
            BadValue: If a record is of another split than train, or names an image outside the
                image folder.
        """
        sources: dict[tuple[str, int], dict[str, Any]] = {}
        for record in records:
            if record.split != 'train':
                raise BadValue(f'{record.image} is in split {record.split!r}: only captions of '
                               'train may be told anew')
            image_name(record.image, 'the captions to tell anew', self.allow_outside)
            source = sources.setdefault((record.image, record.person_id), dict(
                dataset=dataset, split='train', image=record.image, person_id=record.person_id,
                captions=[], **({} if record.source is None else dict(made_from=record.source))))
            source['captions'] += [text for text in record.captions
                                   if isinstance(text, str) and text.strip()]
        jobs = [Job(source, dict(kind='retell'), dict(captions=[]))
                for source in sources.values() if source['captions']]
        wanted = min(len(jobs), self.max_images or len(jobs))
        return [jobs[i * len(jobs) // wanted] for i in range(wanted)]

    def check(self, records: Iterable[PairRecord], top: int = 15) -> str:
        """Report the number of images and captions there are to tell anew."""
        jobs = self.plan(records, '')
        return (f'{len(jobs)} images with {sum(len(job.source["captions"]) for job in jobs)} '
                'captions')
