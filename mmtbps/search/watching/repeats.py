"""Repeats: alarms that say again what was said: of one track, or within the cool-down of a rule."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .alarms import Finding, moment_of, track_of

__all__ = ['Repeats']


@dataclass
class Repeats:
    """Memory of the tracks and times for which alarms were raised.

    Args:
        tracks: Pairs of rule and track.
        times: By rule and clock (`moment_of`), the moment of the last alarm.

    Example:
        >>> from mmtbps.search.galleries import GalleryEntry
        >>> from mmtbps.search.watching.rules import Rule
        >>> rule = Rule('red', 'a red coat', 'min_score', .3, cool_down=60)
        >>> found = [Finding(rule, GalleryEntry(str(t), f'{t}.jpg', time=t), .5)
        ...          for t in (0., 30., 70.)]
        >>> [each.entry.time for each in Repeats().without(found, now=100.)]
        [0.0, 70.0]
    """

    tracks: set[tuple[str, str]] = field(default_factory=set)
    times: dict[tuple[str, str], float] = field(default_factory=dict)

    def without(self, found: Iterable[Finding], now: float) -> list[Finding]:
        """Leave out what repeats an alarm, and remember the rest.

        Args:
            found: In order.
            now: Seconds since 1970, for people of whom no time is known.
        """
        return [each for each in found if self._is_new(each, now)]

    def copy(self) -> 'Repeats':
        """Return a memory of the same, which then goes its own way."""
        return Repeats(set(self.tracks), dict(self.times))

    def _is_new(self, found: Finding, now: float) -> bool:
        rule, track = found.rule, track_of(found.entry)
        clock, moment = moment_of(found.entry, now)
        last = self.times.get((rule.name, clock))
        if track is not None and (rule.name, track) in self.tracks:
            return False
        if last is not None and abs(moment - last) < rule.cool_down:
            return False
        if track is not None:
            self.tracks.add((rule.name, track))
        self.times[rule.name, clock] = moment
        return True
