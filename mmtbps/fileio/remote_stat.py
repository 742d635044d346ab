"""Size and time of change of a file in an object store, whatever its store calls them."""

from datetime import datetime
from typing import Any, NamedTuple

__all__ = ['RemoteStat', 'stat_of']

#: Keys of the time of change, by store.
_TIMES = ('LastModified', 'mtime', 'updated', 'last_modified', 'created')


class RemoteStat(NamedTuple):
    """Size in bytes, and time of change in nanoseconds since 1970 where the store says it."""

    st_size: int
    st_mtime_ns: int | None


def stat_of(info: dict[str, Any]) -> RemoteStat:
    """Read size and time of change from what fsspec tells of a file.

    Example:
        >>> stat_of(dict(size=3, LastModified='1970-01-01T00:00:02Z'))
        RemoteStat(st_size=3, st_mtime_ns=2000000000)
    """
    changed = next((info[key] for key in _TIMES if info.get(key)), None)
    if isinstance(changed, str):
        changed = datetime.fromisoformat(changed.replace('Z', '+00:00'))
    if isinstance(changed, datetime):
        changed = changed.timestamp()
    return RemoteStat(info.get('size') or 0,
                      None if changed is None else round(changed * 1e6) * 1000)
