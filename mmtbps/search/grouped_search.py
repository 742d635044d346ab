"""Search for so many hits that an answer has the groups it was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmtbps.quantities import is_count

from .galleries.base import BaseGallery, Hit
from .results import add_members, group_hits

__all__ = ['best_of_groups_first', 'complete_groups', 'find_hits']

#: So many hits are looked through to fill an answer with groups.
_MOST_ASKED = 10_000
_EQUAL = 1e-6  # scores of copies


def find_hits(gallery: BaseGallery, vectors: Any, topk: int, where: Mapping[str, Any] | None,
              group: str | None) -> list[list[Hit]]:
    """Search for so many hits that there are ``topk`` groups, with all of equal score.

    Args:
        gallery: to search.
        vectors: ``(Q, D)`` queries.
        topk: groups.
        where: filter of entries.
        group: see `group_hits`.

    Returns:
        For each query its hits, best first.
    """
    # One more, to see whether the last has copies; what is no number of hits is refused there.
    asked = topk + 1 if is_count(topk) and topk < _MOST_ASKED else topk
    found = gallery.search(vectors, asked, where)
    while asked < _MOST_ASKED and any(
            len(hits) == asked and not _is_full(hits, topk, group) for hits in found):
        asked = min(4 * asked, _MOST_ASKED)
        found = gallery.search(vectors, asked, where)
    return found


def best_of_groups_first(hits: Sequence[Hit], group: str | None) -> list[Hit]:
    """Order hits so that the best one of each group comes before what a group has besides.

    A second stage that sees the first of them then judges as many groups, not one long track.

    Args:
        hits: best first.
        group: see `group_hits`.

    Example:
        >>> from .galleries.base import GalleryEntry
        >>> hits = [Hit(GalleryEntry('1', 'a', track='t'), .9),
        ...         Hit(GalleryEntry('2', 'b', track='t'), .8), Hit(GalleryEntry('3', 'c'), .7)]
        >>> [hit.entry.id for hit in best_of_groups_first(hits, 'track')]
        ['1', '3', '2']
    """
    best = {groups[0].entry.id for groups in group_hits(hits, group)}
    return sorted(hits, key=lambda hit: hit.entry.id not in best)


def complete_groups(gallery: BaseGallery, hits: list[Hit], topk: int,
                    where: Mapping[str, Any] | None, group: str | None) -> list[Hit]:
    """Add what else is in the groups of hits; a search finds no more than it needs.

    Args:
        gallery: that was searched.
        hits: best first.
        topk: groups that are completed.
        where: filter of entries.
        group: see `group_hits`; ``None`` leaves the hits as they are.
    """
    if group is None:
        return hits
    key = 'track' if group == 'track' else 'path'
    values = {getattr(entry, key) for best, others in group_hits(hits, group)[:topk]
              for entry in (best.entry, *others)} - {None}
    if not values:
        return hits
    members = gallery.entries({**(where or {}), key: sorted(values)})
    return add_members(hits, members, group, topk)


def _is_full(hits: Sequence[Hit], topk: int, group: str | None) -> bool:
    """Tell whether there are ``topk`` groups, and no copy of the last one may follow."""
    groups = group_hits(hits, group)
    return len(groups) >= topk and hits[-1].score < groups[topk - 1][0].score - _EQUAL
