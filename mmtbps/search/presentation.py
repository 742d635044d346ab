"""Presentation of gallery entries to people: pictures in a page, facts in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

from .galleries.base import GalleryEntry
from .presence import Presence

__all__ = ['clock', 'describe_lost', 'describe_marking', 'describe_presence', 'describe_reading',
           'describe_weighing', 'in_chances', 'in_figures', 'in_marks', 'in_words', 'stopwatch']

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: So many words that a model does not know are named, and so many letters of a sentence.
_WORDS, _LETTERS = 10, 40
#: Between these probabilities neither presence nor absence is said.
_DOUBT = .35, .65


def in_words(entry: GalleryEntry) -> list[tuple[str, str]]:
    """List what is known of a crop as (name, value) for people to read; the unknown is left out.

    Args:
        entry: Of a gallery.

    Example:
        >>> in_words(GalleryEntry('7', 'a.mp4', camera='c1', frame=75, extra={'video_time': '7.5'}))
        [('camera', 'c1'), ('frame', '75'), ('video_time', '0:00:07'), ('file', 'a.mp4')]
    """
    extra = {key: stopwatch(value) if key == 'video_time' else value
             for key, value in entry.extra.items()}
    known = [('camera', entry.camera),
             ('time', None if entry.is_undated else clock(entry.time)), ('track', entry.track),
             ('frame', entry.frame), ('caption', entry.caption), *extra.items(),
             ('file', entry.path),
             ('box', None if entry.box is None else ','.join(map(str, entry.box)))]
    return [(name, str(value)) for name, value in known if value is not None]


def in_figures(score: float, probability: float | None = None,
               match: float | None = None, estimate: float | None = None) -> str:
    """Word a score, with probability and score of a second stage where there are such.

    An estimate is no probability that was tried; it stands in words of its own, see
    `describe_presence`, and here only behind a sign.

    Example:
        >>> in_figures(.834), in_figures(.12, .0345), in_figures(.3, match=-1.25)
        ('0.834', '0.120 (3.45 %)', '0.300, match -1.25')
        >>> in_figures(.12, estimate=.5)
        '0.120 (~50 %)'
    """
    told = in_chances(probability, estimate)
    return (f'{score:.3f}' + (told and f' ({told})')
            + ('' if match is None else f', match {match:.2f}'))


def in_chances(probability: float | None = None, estimate: float | None = None) -> str:
    """Word how probably a hit is the person; empty where neither is known.

    Args:
        probability: Calibrated, or that of a model which was trained to tell.
        estimate: Without labels.

    Example:
        >>> in_chances(.0345), in_chances(estimate=.5), in_chances()
        ('3.45 %', '~50 %', '')
    """
    if probability is not None:
        return f'{100 * probability:.3g} %'
    return '' if estimate is None else f'~{100 * estimate:.2g} %'


def describe_reading(unknown: Sequence[str], read: str | None, unread: str) -> list[str]:
    """Word what a model does not know or read of a sentence; nothing if it reads all of it.

    Args:
        unknown: Words that the model does not know.
        read: Beginning that it reads; None for all.
        unread: Rest of the sentence.

    Example:
        >>> describe_reading(['\u7537\u4eba'], None, '')
        ['the model does not know "\u7537\u4eba"']
        >>> describe_reading([], 'a man in a red', 'coat')
        ['the model reads a part of the sentence, up to "...a man in a red", and not "coat"']
    """
    lines = []
    if unknown:
        more = f' and {len(unknown) - _WORDS} more' if len(unknown) > _WORDS else ''
        lines.append('the model does not know '
                     + ', '.join(f'"{word[:_LETTERS]}"' for word in unknown[:_WORDS]) + more)
    if read is not None:
        end = '...' if len(unread) > _LETTERS else ''
        lines.append(f'the model reads a part of the sentence, up to "...{read[-_LETTERS:]}"'
                     + (f', and not "{unread[:_LETTERS]}{end}"' if unread else ''))
    return lines


def describe_presence(presence: Presence | None) -> str:
    """Word whether the person is there; empty where it was not estimated.

    Args:
        presence: Of a result.

    Example:
        >>> describe_presence(Presence(.12, 400, True, 'fitted on val'))
        'probably nobody here: 12 % that the person is among the 400 searched'
        >>> describe_presence(Presence(.9, 400, False, 'not calibrated'))
        'probably here: about 90 % that the person is among the 400 searched (not calibrated)'
        >>> describe_presence(Presence(.5, 9, False, 'not calibrated for short ones'))[-31:]
        '(not calibrated for short ones)'
    """
    if presence is None:
        return ''
    probability = presence.probability
    verdict = ('probably nobody here' if probability < _DOUBT[0] else
               'probably here' if probability > _DOUBT[1] else 'perhaps here')
    about = '' if presence.calibrated else 'about '
    # Why a model that is calibrated does not say more; reasons why it is not are long.
    strange = presence.basis.startswith('not calibrated for')
    note = '' if presence.calibrated else f' ({presence.basis if strange else "not calibrated"})'
    return (f'{verdict}: {about}{100 * probability:.0f} % that the person is among the '
            f'{presence.searched:,} searched{note}')


def describe_lost(lost: Sequence[str]) -> list[str]:
    """Word the pictures that a second stage could not read; nothing if it read all.

    Args:
        lost: Their paths.

    Example:
        >>> describe_lost(['a.jpg', 'b.jpg'])
        ['2 of the first pictures cannot be read and stand behind those that can: a.jpg and 1 more']
    """
    if not lost:
        return []
    more = f' and {len(lost) - 1} more' if len(lost) > 1 else ''
    return [f'{len(lost)} of the first pictures cannot be read and stand behind those that can: '
            f'{lost[0]}{more}']


def describe_marking(unchecked: Sequence[str], marked_by: str) -> list[str]:
    """Word which words of a sentence were not checked, and marks that no label has confirmed.

    Args:
        unchecked: Words in no phrase that was checked.
        marked_by: Bounds of the marks; empty without marks.

    Example:
        >>> describe_marking(['tall', 'kurta'], 'label-free')
        ['not checked: "tall", "kurta"', 'marks by label-free bounds: not calibrated']
    """
    lines = []
    if unchecked:
        more = f' and {len(unchecked) - _WORDS} more' if len(unchecked) > _WORDS else ''
        lines.append('not checked: ' + ', '.join(
            f'"{word[:_LETTERS]}"' for word in unchecked[:_WORDS]) + more)
    if 'label-free' in marked_by:
        lines.append('marks by label-free bounds: not calibrated')
    return lines


def describe_weighing(weighed: Sequence[str] | None) -> list[str]:
    """Word which phrases had a say in the order of an answer; nothing if it was not asked for.

    Args:
        weighed: Of a result.

    Example:
        >>> describe_weighing(['red coat', 'jeans'])
        ['phrases weighed in the order, not in the scores: "red coat", "jeans"']
        >>> describe_weighing([]), describe_weighing(None)
        (['no phrase was found that can be weighed'], [])
    """
    if weighed is None:
        return []
    if not weighed:
        return ['no phrase was found that can be weighed']
    more = f' and {len(weighed) - _WORDS} more' if len(weighed) > _WORDS else ''
    return ['phrases weighed in the order, not in the scores: ' + ', '.join(
        f'"{phrase[:_LETTERS]}"' for phrase in weighed[:_WORDS]) + more]


def in_marks(marks: Sequence[Mapping[str, object]]) -> str:
    """Word the marks of a hit; nothing without marks.

    Args:
        marks: Dicts with ``phrase`` and ``mark``.

    Example:
        >>> in_marks([dict(phrase='red coat', mark='yes'), dict(phrase='no hat', mark='unsure')])
        'red coat: yes, no hat: unsure'
    """
    return ', '.join(f'{mark["phrase"]}: {mark["mark"]}' for mark in marks)


def clock(seconds: float | None) -> str | None:
    """Word a time as date and time of day in UTC.

    Args:
        seconds: Since 1970; ``None`` if it is not known.

    Example:
        >>> clock(1704067200.), clock(-157766400.)
        ('2024-01-01 00:00:00 UTC', '1965-01-01 00:00:00 UTC')
    """
    if seconds is None:
        return None
    try:
        return f'{_EPOCH + timedelta(seconds=seconds // 1):%Y-%m-%d %H:%M:%S} UTC'
    except (OverflowError, ValueError):  # no year of four digits
        return f'{seconds:g} s since 1970'


def stopwatch(seconds: str) -> str:
    """Word a time since the start of a video as hours, minutes and seconds.

    Args:
        seconds: As text; what is no number stays.

    Example:
        >>> stopwatch('75.500'), stopwatch('soon')
        ('0:01:15', 'soon')
    """
    try:
        whole = int(float(seconds))
    except (ValueError, OverflowError):
        return seconds
    return f'{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}'
