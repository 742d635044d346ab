"""Lines of a report on the captions of a data set that are not edited."""

from collections import Counter
from collections.abc import Iterable, Sequence

from mmtbps.lexicon import read_caption

__all__ = ['left_out_lines', 'percent']


def left_out_lines(captions: Iterable[str], regions: Sequence[str]) -> list[str]:
    """Count the captions that cannot be relied on, at least at one garment, by reason.

    >>> left_out_lines(['Two men in red coats.'], ['upper'])[1]
    '       1 several people'
    """
    doubts: Counter[str] = Counter()
    for caption in captions:
        doubts.update(_doubts(caption, regions))
    lines = [f'{count:>8} {reason}' for reason, count in doubts.most_common()]
    return ['captions that are not edited, or not at every garment:', *lines] if lines else []


def _doubts(caption: str, regions: Sequence[str]) -> set[str]:
    """Collect the reasons for which a caption, or a garment in it, cannot be relied on."""
    reading = read_caption(caption)
    return {reading.doubt} if reading.doubt else {
        garment.doubt for garment in reading.garments
        if garment.doubt and garment.region in regions}


def percent(part: int, whole: int) -> str:
    """Word a share.

    >>> percent(1, 3), percent(0, 0)
    ('33.3 %', '-')
    """
    return f'{100 * part / whole:.1f} %' if whole else '-'
