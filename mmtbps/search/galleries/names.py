"""Names that people type, found among those that are stored, whatever way they are spelled.

Two spellings of a letter with an accent look the same and are different text: one sign, or a letter
and an accent after it, as file names of a Mac have it. Names are compared in Unicode's form NFC.
"""

import os
import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from .filters import KINDS, Condition, OneOf

__all__ = ['find_unknown_values', 'match_paths', 'similar_paths', 'spell_as_stored', 'suggest_key']


def match_paths(typed: Iterable[str], stored: Iterable[str],
                root: str | os.PathLike | None = None) -> dict[str, str]:
    r"""Match paths that were typed to those that are stored.

    The very path goes before any other spelling: NFC or NFD, ``\`` in place of ``/``, ``./`` before
    it, the whole path of a file below the root. A spelling that fits several fits none.

    Args:
        typed: Names of files.
        stored: Relative to the root, as a gallery keeps them.
        root: Folder of the images.

    Returns:
        The stored path of each one that was found.

    Example:
        >>> match_paths(['.\\lobby\\a.jpg', '/photos/b.jpg', 'c.jpg'], ['lobby/a.jpg', 'b.jpg'],
        ...             root='/photos')
        {'.\\lobby\\a.jpg': 'lobby/a.jpg', '/photos/b.jpg': 'b.jpg'}
    """
    there, found = set(stored), {}
    spelled: dict[str, list[str]] = {}
    for name in typed:
        if name in there:
            found[name] = name
            continue
        if not spelled:
            for path in there:
                spelled.setdefault(_nfc(path), []).append(path)
        if len(alike := spelled.get(_plain_path(name, root), [])) == 1:
            found[name] = alike[0]
    return found


def suggest_key(key: str, entries: Iterable[Any]) -> str:
    """Word the key of a filter that may have been meant; nothing if none is like it.

    Args:
        key: no entry has it.
        entries: of the gallery, with free keys in ``extra``.

    Example:
        >>> suggest_key('camra', []), suggest_key('coat', [])
        ('; did you mean camera?', '')
    """
    known = {*KINDS, *(name for entry in entries for name in entry.extra)}
    similar = get_close_matches(key, sorted(known), 1)
    return f'; did you mean {similar[0]}?' if similar else ''



def similar_paths(names: Iterable[str], stored: Iterable[str]) -> dict[str, str]:
    """Find stored paths that may have been meant: other capitals, or a name in another folder.

    Args:
        names: Of files that are not among the stored.
        stored: Relative to the root, as a gallery keeps them.

    Returns:
        The first such path of each name that has one.

    Example:
        >>> similar_paths(['Lobby/b.jpg', 'x.jpg'], ['hall/b.jpg', 'lobby/B.JPG'])
        {'Lobby/b.jpg': 'lobby/B.JPG'}
    """
    wanted = {name: _plain_path(name, None).casefold() for name in names}
    whole: dict[str, str] = {}
    last: dict[str, str] = {}
    for path in stored if wanted else ():
        folded = _nfc(path).casefold()
        whole.setdefault(folded, path)
        last.setdefault(posixpath.basename(folded), path)
    found = {name: whole.get(folded) or last.get(posixpath.basename(folded))
             for name, folded in wanted.items()}
    return {name: path for name, path in found.items() if path is not None}


def find_unknown_values(conditions: Sequence[Condition], entries: Callable[[], Iterator[Any]]
                        ) -> list[tuple[str, str, str | None]]:
    """Find the values of a filter that no entry has, with those that may have been meant.

    Args:
        conditions: The filter, as `read_where` reads it.
        entries: Called to look through the gallery, once for each key that is text.

    Returns:
        Key, value, and a path as of `similar_paths` or a value in other capitals, if there is one.

    Example:
        >>> class Entry:
        ...     camera = 'c1'
        >>> find_unknown_values([OneOf('camera', ('C1', 'c1', 'c7'))], lambda: iter([Entry]))
        [('camera', 'C1', 'c1'), ('camera', 'c7', None)]
    """
    unknown = []
    for condition in conditions:
        if not isinstance(condition, OneOf) or KINDS.get(condition.key, str) is not str:
            continue
        stored = {value for value in condition.values_of(entries()) if value is not None}
        known = {_nfc(value) for value in stored}
        lacking = [value for value in condition.values if _nfc(value) not in known]
        folded = {_nfc(value).casefold(): value for value in sorted(stored)}
        similar = similar_paths(lacking, stored) if condition.key == 'path' else {
            value: folded.get(_nfc(value).casefold()) for value in lacking}
        unknown += [(condition.key, value, similar.get(value)) for value in lacking]
    return unknown


def spell_as_stored(conditions: Sequence[Condition], entries: Callable[[], Iterator[Any]],
                    root: Callable[[], str | None]) -> tuple[Condition, ...]:
    """Give the values of a filter the spelling that the entries of a gallery have.

    A path stands for one file. Any other text stands for all that look the same.

    Args:
        conditions: The filter.
        entries: Called to look through the gallery, only if a value may be spelled otherwise.
        root: The same for the folder of the images.
    """
    return tuple(_spell(each, entries, root) for each in conditions)


def _spell(condition: Condition, entries: Callable[[], Iterator[Any]],
           root: Callable[[], str | None]) -> Condition:
    text = isinstance(condition, OneOf) and KINDS.get(condition.key, str) is str
    if not text or all(_has_one_spelling(condition.key, value) for value in condition.values):
        return condition
    stored = {value for value in condition.values_of(entries()) if value is not None}
    if condition.key == 'path':
        found = match_paths(condition.values, stored, root())
        values = [found.get(value, value) for value in condition.values]
    else:
        wanted = {_nfc(value) for value in condition.values}
        values = [*condition.values, *sorted(value for value in stored if _nfc(value) in wanted)]
    return replace(condition, values=tuple(dict.fromkeys(values)))


def _has_one_spelling(key: str, value: str) -> bool:
    return value.isascii() and (key != 'path' or _plain_path(value, None) == value
                                and not posixpath.isabs(value))


def _plain_path(name: str, root: str | os.PathLike | None) -> str:
    """Return the spelling of a path that all of its spellings share."""
    if root is not None and os.path.isabs(name):
        whole = os.path.join(os.path.realpath(os.path.dirname(name)), os.path.basename(name))
        for path in (os.path.normpath(name), whole):
            if path.startswith(os.path.join(os.path.realpath(root), '')):
                name = os.path.relpath(path, os.path.realpath(root))
                break
    return _nfc(posixpath.normpath(name.replace('\\', '/')))


def _nfc(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize('NFC', name)
