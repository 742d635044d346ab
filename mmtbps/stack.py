"""The packages that mmtbps stands on: whether they are there, and new enough."""

import importlib.metadata
import importlib.util
import re
import sys
from typing import NamedTuple

from .errors import MissingPackage

__all__ = ['explain_import', 'is_before', 'require_stack']


class _Floor(NamedTuple):
    """The oldest release of a package that is known to work.

    Args:
        version: of that release.
        below: of the first one that is not allowed, if there is one.
        distributions: all that bring the package, by their names at a package index.
    """

    version: str
    below: str | None
    distributions: tuple[str, ...]


#: By the name that is imported. torch 2.4 trains and cannot load its checkpoints afterwards;
#: MMEngine 0.10.5 cannot be imported beside torch 2.5.
_FLOORS = {
    'torch': _Floor('2.5', None, ('torch', )),
    'mmengine': _Floor('0.10.6', '1', ('mmengine', 'mmengine-lite', 'onedl-mmengine')),
    'mmcv': _Floor('2.0', '2.4', ('mmcv', 'mmcv-lite', 'onedl-mmcv')),
    'mmpretrain': _Floor('1.2', '2', ('mmpretrain', 'onedl-mmpretrain')),
    'transformers': _Floor('4.40', '6', ('transformers', )),
}
_NEEDED = ('torch', 'mmengine', 'mmcv', 'mmpretrain')


def require_stack() -> None:
    """Ask for torch and the OpenMMLab stack, in releases that are known to work.

    Raises:
        MissingPackage: One of them is missing or too old; the message names the fix.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackage(
            f'mmtbps needs {", ".join(missing)}. Install torch first, then the OpenMMLab stack: '
            'pip install torch && pip install "mmtbps[mm]" (or "mmtbps[onedl]", never both)')
    _require_new()


def explain_import(error: Exception) -> MissingPackage | None:
    """Find what the stack lacks that may be why something failed that stands on it.

    A file that imports torch or MMEngine before a part of this package does fails at once, in the
    words of a stranger.

    Args:
        error: of any kind; beside a stack that is too old, nothing is expected to work.

    Returns:
        The error of `require_stack`; ``None`` for a stack that has what it needs.

    Example:
        >>> explain_import(ModuleNotFoundError('of another package', name='shtab'))
    """
    named = (getattr(error, 'name', None) or '').partition('.')[0]
    missing = isinstance(error, ModuleNotFoundError) and named in _NEEDED
    try:
        (require_stack if missing else _require_new)()
    except MissingPackage as lack:
        return lack
    return None


def _require_new() -> None:
    """Ask for new enough releases of what is installed."""
    old = {name: found for name in _FLOORS if (found := _installed(name)) and is_before(
        found[1], _FLOORS[name].version)}
    if old:
        needs = ', '.join(f'{name} {_FLOORS[name].version} or later ({version} is installed)'
                          for name, (_, version) in old.items())
        fixes = ' '.join(f'"{_requirement(distribution, _FLOORS[name])}"'
                         for name, (distribution, _) in old.items())
        raise MissingPackage(f'mmtbps needs {needs}: pip install -U {fixes}')
    _require_what_transformers_asks()


def _require_what_transformers_asks() -> None:
    """Ask for the torch of this release of transformers, which else has no model of its own."""
    torch, transformers = _installed('torch'), _installed('transformers')
    if not torch or not transformers:
        return
    floor = next((found[1] for line in _requirements('transformers') if (found := re.match(
        r'torch *\(?>= *([\d.]+).*extra == ["\']torch["\']', line))), '0')
    if is_before(torch[1], floor):
        raise MissingPackage(
            f'transformers {transformers[1]} needs torch {floor} or later ({torch[1]} is '
            f'installed): pip install -U "torch>={floor}", or an earlier transformers: '
            f'pip install "transformers>={_FLOORS["transformers"].version},<5"')


def _requirements(distribution: str) -> list[str]:
    try:
        return importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def is_before(version: str, floor: str) -> bool:
    """Check for a release before another; builds of a release from before its day count as it.

    Args:
        version: Such as ``'2.5.0a0+872d972e41'``.
        floor: Numbers alone.

    Example:
        >>> [is_before(version, '2.5') for version in ('2.4.1+cpu', '2.5.0a0+git', '2.13.0')]
        [True, False, False]
    """
    return _numbers(version) < _numbers(floor)


def _numbers(version: str) -> list[int]:
    found = re.match(r'\d+(?:\.\d+)*', version)
    return [int(number) for number in found[0].split('.')] if found else [sys.maxsize]


def _installed(name: str) -> tuple[str, str] | None:
    """Find distribution and version of a package, without importing it.

    Where one distribution has overwritten another, as those of the two families do, the newest
    counts: what was there first would be a false alarm.
    """
    found = []
    for distribution in _FLOORS[name].distributions:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        if version:  # None where the metadata is broken
            found.append((_numbers(version), distribution, version))
    loaded = getattr(sys.modules.get(name), '__version__', None)
    if not found:
        return loaded and (_FLOORS[name].distributions[0], str(loaded))
    _, distribution, version = max(found)
    return distribution, str(loaded or version)


def _requirement(distribution: str, floor: _Floor) -> str:
    return f'{distribution}>={floor.version}' + (f',<{floor.below}' if floor.below else '')
