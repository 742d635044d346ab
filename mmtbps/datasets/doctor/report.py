"""Report about a data set: one HTML page with pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmtbps.datasets.images import read_picture
from mmtbps.fileio import write_durably
from mmtbps.markup import as_data_uri, load_template

from .findings import Finding, Place
from .kinds import KINDS

__all__ = ['write_report']

_SIZE = (96, 192)
#: Letters of a caption that are shown, and places of a group: one caption may be at thousands.
_LETTERS, _PLACES = 400, 12
_PAGE = Path(__file__).parent / 'templates/report.html'


def write_report(path: str | Path, name: str, sizes: Sequence[dict[str, Any]],
                 findings: Sequence[Finding], shown: int = 12) -> None:
    """Write the page.

    Args:
        path: of the page.
        name: of the data set.
        sizes: rows of file, split, people, images, captions.
        findings: of `examine`.
        shown: groups of each finding that are shown with their pictures.
    """
    sections = [dict(
        kind=finding.kind, text=finding.text, problem=KINDS[finding.kind].problem,
        cure=KINDS[finding.kind].cure, left=max(0, len(finding.groups) - shown),
        groups=[dict(places=[_shown(place) for place in group[:_PLACES]],
                     left=max(0, len(group) - _PLACES)) for group in finding.groups[:shown]])
        for finding in findings]
    write_durably(path, load_template(_PAGE).render(name=name, sizes=sizes, sections=sections))


def _shown(place: Place) -> dict[str, Any]:
    caption = place.caption
    if len(caption) > _LETTERS:
        caption = f'{caption[:_LETTERS]} ... ({len(caption):,} letters)'
    return dict(place._asdict(), caption=caption, picture=_picture(place.image))


def _picture(path: str) -> str | None:
    """Encode a small copy of a picture as a data URI; None if there is none."""
    try:
        return as_data_uri(read_picture(path), _SIZE)
    except Exception:  # it is missing or broken, which a finding says
        return None
