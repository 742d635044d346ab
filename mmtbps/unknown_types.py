"""Types of a config that nothing is registered under, named with their place."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from . import registry as registries
from .errors import BadValue

__all__ = ['UnknownType', 'explain_unknown_types']

# As MMEngine says it, maybe within the errors of the parts around.
_UNKNOWN = re.compile(r"""([^\s'"`]+) is not in the (?:\w+::)?([\w ]+) registry""")


class UnknownType(BadValue):
    """A ``type`` of a config that no class is registered under."""


@contextmanager
def explain_unknown_types(cfg: Config | Mapping[str, Any]) -> Iterator[None]:
    """Turn what MMEngine's registry says of an unknown type into one line.

    Args:
        cfg: the config that is built inside.

    Raises:
        UnknownType: a type is in no registry; its place in the config and the nearest registered
            names are named.

    Example:
        >>> with explain_unknown_types(dict(custom_hooks=[dict(type='EpochSeedHok')])):
        ...     registries.HOOKS.build(dict(type='EpochSeedHok'))
        Traceback (most recent call last):
        mmtbps.unknown_types.UnknownType: custom_hooks[0].type='EpochSeedHok': no hook of \
this name is registered; the nearest are EpochSeedHook. A class of your own needs custom_imports
    """
    try:
        yield
    except KeyError as error:
        found = _UNKNOWN.search(str(error))
        if not found:
            raise
        name, kind = found.groups()
        places = [f'{place}={name!r}' for place in _places_of(
            name, dict(cfg.items()), '')] or [f'type={name!r}']
        near = ', '.join(get_close_matches(name.rpartition('.')[2], _registered(kind), cutoff=.7))
        raise UnknownType(
            f'{", ".join(places)}: no {kind} of this name is registered'
            f'{f"; the nearest are {near}" if near else ""}. A class of your own needs '
            'custom_imports') from error


def _places_of(name: str, node: Any, place: str) -> Iterator[str]:
    """Yield the keys, in dots, under which a config has this type."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            inside = f'{place}.{key}' if place else str(key)
            if key == 'type' and value == name:
                yield inside
            else:
                yield from _places_of(name, value, inside)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _places_of(name, value, f'{place}[{index}]')


def _registered(kind: str) -> list[str]:
    """List the names of our registry of this kind, of those above it and of mmpretrain's."""
    registry: Registry | None = next(
        (known for known in vars(registries).values()
         if isinstance(known, registries.LendingRegistry) and known.name == kind), None)
    lender = None if registry is None else registry.lender()
    names: set[str] = set(() if lender is None else lender.module_dict)
    while registry is not None:
        names |= registry.module_dict.keys()
        registry = registry.parent
    return sorted(names)
