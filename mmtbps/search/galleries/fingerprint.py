"""Fingerprints: the model and the pipeline whose features a gallery holds."""

import json
from collections.abc import Mapping
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['CAPTIONS', 'MOST_DIMS', 'check_fingerprint', 'is_same_model', 'may_search',
           'without_captions']

#: Key of the captioner, and of the share of its captions, where captions are in the features.
CAPTIONS = 'captions'

#: A longer feature is that of no model; the gallery may be a stranger's.
MOST_DIMS = 1 << 16


def is_same_model(stored: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> bool:
    """Tell whether a stored fingerprint is that of a model, today's or one of its former ones.

    Args:
        stored: Of a gallery.
        fingerprint: Of the model; its ``former()``, if it has one, gives those that earlier
            versions made.
    """
    former = getattr(fingerprint, 'former', tuple)
    return stored == check_fingerprint(fingerprint) or any(
        stored == check_fingerprint(other) for other in former())


def may_search(stored: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> bool:
    """Tell whether a model encodes queries for a gallery, which takes no captioner.

    Args:
        stored: Of a gallery.
        fingerprint: Of the model.

    Example:
        >>> may_search(dict(model='a', dim=2, captions=dict(weight=.3)), dict(model='a', dim=2))
        True
    """
    return is_same_model(without_captions(stored), fingerprint)


def without_captions(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a fingerprint that is of the model alone."""
    return {key: value for key, value in check_fingerprint(fingerprint).items() if key != CAPTIONS}


def check_fingerprint(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fingerprint as it comes back from a file.

    Raises:
        ValueError: If it cannot be stored, or lacks the length of a feature, at most `MOST_DIMS`.
    """
    try:
        stored = json.loads(json.dumps(dict(fingerprint), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BadValue(f'a fingerprint is a dict of JSON types: {error}') from None
    dim = stored.get('dim')
    if not isinstance(dim, int) or isinstance(dim, bool) or not 1 <= dim <= MOST_DIMS:
        raise BadValue(f"a fingerprint needs 'dim', the length of a feature; got {dim!r}")
    return stored
