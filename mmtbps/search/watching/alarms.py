"""Alarms: what a rule has to say of one person, as one JSON line."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from mmtbps.fileio import as_path, encode_json

from ..answers.phrases import PhraseMark
from ..answers.presence import NOT_CALIBRATED
from ..galleries.base import GalleryEntry
from .rules import Rule

__all__ = ['Alarm', 'Finding', 'alarm_id', 'moment_of', 'track_of']


@dataclass(frozen=True)
class Finding:
    """A person whom a rule has found.

    Args:
        rule: That is met.
        entry: Of the gallery.
        score: Cosine similarity of sentence and picture.
        probability: That the entry is the person of the sentence; None without a calibration.
        marks: Of the phrases of the sentence.
        basis: What the probability rests on, or ``'not calibrated'`` with the reason.
    """

    rule: Rule
    entry: GalleryEntry
    score: float
    probability: float | None = None
    marks: Sequence[PhraseMark] = ()
    basis: str = NOT_CALIBRATED


@dataclass(frozen=True)
class Alarm:
    """An alarm on its way.

    Args:
        id: The same whenever the same rule finds the same picture.
        rule: Name of the rule.
        text: The JSON line.
        number: In the order in which alarms were raised; 0 before it is queued.
    """

    id: str
    rule: str
    text: str
    number: int = 0

    @classmethod
    def of(cls, found: Finding, images: str | None, now: float) -> 'Alarm':
        """Word a finding.

        Args:
            found: The finding.
            images: Folder that the paths of the gallery are relative to.
            now: Seconds since 1970 at which the alarm is raised.
        """
        entry, rule = found.entry, found.rule
        key = alarm_id(rule, entry)
        return cls(key, rule.name, encode_json(dict(
            id=key, rule=rule.name, sentence=rule.sentence, bound=rule.describe_bound(),
            entry=entry.id, picture=str(as_path(images, entry.path)) if images else entry.path,
            frame=entry.frame, box=None if entry.box is None else list(entry.box),
            camera=entry.camera, track=entry.track,
            time=None if entry.time is None else _iso(entry.time), raised=_iso(now),
            score=round(found.score, 6),
            probability=None if found.probability is None else round(found.probability, 6),
            basis=found.basis, marks=[mark.to_json() for mark in found.marks],
            extra=dict(entry.extra))))

    def to_json(self) -> dict[str, Any]:
        """Return the alarm as JSON types."""
        return json.loads(self.text)


def alarm_id(rule: Rule, entry: GalleryEntry) -> str:
    """Compute the id of the alarm of a rule for an entry, the same in every process.

    Another picture under the name of the former one has another.

    Args:
        rule: Of whom name and sentence count; another bound makes no new alarm.
        entry: Of whom id and content count.

    Example:
        >>> rule = Rule('red', 'a red coat', 'min_score', .3)
        >>> alarm_id(rule, GalleryEntry('1', 'a.jpg'))[:8]
        '12798d3b'
    """
    return hashlib.sha256(json.dumps([rule.name, rule.sentence, entry.id, entry.sha256]).encode()
                          ).hexdigest()[:32]


def track_of(entry: GalleryEntry) -> str | None:
    """Name the track of an entry among all cameras and videos; None without one.

    Example:
        >>> track_of(GalleryEntry('1', 'a.jpg', camera='c1', track='t7'))
        '["c1", "t7"]'
    """
    if entry.track is None:
        return None
    # Another video under the name of the former one has tracks of its own.
    return json.dumps([entry.camera if entry.frame is None else entry.sha256, entry.track])


def moment_of(entry: GalleryEntry, now: float) -> tuple[str, float]:
    """Return the clock by which the time between two alarms is told, and the time on it.

    A video without a date has a clock of its own, so that its alarms are told apart by the time
    between them and not by the time it took to look through it.

    Args:
        entry: Of the gallery.
        now: Seconds since 1970, for an entry of which no time is known.

    Example:
        >>> moment_of(GalleryEntry('1', 'a.avi', frame=5, extra={'video_time': '0.2'}), 1e9)
        ('a.avi', 0.2)
        >>> moment_of(GalleryEntry('1', 'a.jpg', time=7.), 1e9)
        ('', 7.0)
    """
    if entry.time is not None and not entry.is_undated:
        return '', float(entry.time)
    if entry.frame is not None and 'video_time' in entry.extra:
        return entry.path, float(entry.extra['video_time'])
    return '', now


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec='milliseconds')
    except (OverflowError, OSError, ValueError):  # a year beyond 9999
        return str(seconds)
