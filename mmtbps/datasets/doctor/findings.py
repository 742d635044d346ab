"""Findings of the data doctor: what is wrong, where, and what can be done about it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from mmtbps.datasets.annotations import LocatedRecord

__all__ = ['Finding', 'Place', 'place_of']


class Place(NamedTuple):
    """Place of a finding.

    Args:
        file: annotation file by the user's name for it.
        record: number from 1; in JSONL that of the line.
        image: path of the image.
        split: of the record.
        person: id as the file numbers it.
        caption: the caption in question, if it is about one.
    """

    file: str
    record: int
    image: str
    split: str
    person: int
    caption: str = ''


@dataclass(frozen=True)
class Finding:
    """Something that training or a test should not meet.

    Args:
        kind: of the table of kinds, see `mmtbps.datasets.doctor.KINDS`.
        text: what it is, in words.
        groups: places that belong together, such as two copies of a picture; the first of each
            group is the one that `mmtbps.datasets.doctor.clean` keeps.
    """

    kind: str
    text: str
    groups: tuple[tuple[Place, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return dict(kind=self.kind, text=self.text,
                    groups=[[place._asdict() for place in group] for group in self.groups])


def place_of(item: LocatedRecord, caption: str = '') -> Place:
    """Return the place of a record, or of one of its captions."""
    record = item.record
    return Place(item.source.name, item.number, item.image_path, record.split, record.person_id,
                 caption)
