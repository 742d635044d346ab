"""Bounds of the marks of phrases: fitted on labels, kept in a file, found by a search."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.evaluation.caption_labels import PhraseLabels
from mmtbps.evaluation.phrase_marks import fit_bounds
from mmtbps.fileio import decode_json, encode_json, write_durably

from ..galleries.fingerprint import is_same_model
from ..galleries.provenance import Noted, read_provenance
from .calibrations import existing_places
from .margins import Bounds
from .phrases import PhraseChecker, bounds_keys

__all__ = ['BOUNDS_FILE', 'find_phrase_bounds', 'fit_phrase_bounds', 'read_phrase_bounds',
           'write_phrase_bounds']

#: In the folder of a gallery, and behind the name of a model.
BOUNDS_FILE = 'phrases.json'
#: Of fewer labels of one kind a share of a tenth says nothing.
_LEAST = 20
#: Of the margins that bounds are of; until version 2 each picture had a unit of its own.
_VERSION = 2
_OTHER_MARGINS = ('bounds of margins of another version of mmtbps; `mmtbps calibrate` fits them '
                  'for this one')
_KINDS = ('clothing', 'accessory', 'accessory color', 'hair', 'beard', 'gender')
_LOG = logging.getLogger('mmtbps.search')


def fit_phrase_bounds(checker: PhraseChecker, labels: Sequence[PhraseLabels], features: np.ndarray,
                      error: float = .1) -> dict[str, Bounds]:
    """Fit bounds by the names of `bounds_keys`, see `mmtbps.evaluation.phrase_marks.fit_bounds`.

    A name of which fewer than 20 pictures have the thing, or lack it, gets none: the bounds of the
    kind mark it, or without those no labels.

    Args:
        checker: Of the model.
        labels: Of `mmtbps.evaluation.caption_labels.label_phrases`, or such from elsewhere.
        features: ``(N, dim)`` unit features of all pictures.
        error: Greatest share of wrong marks of each kind.
    """
    margins, holds = defaultdict(list), defaultdict(list)
    for one in labels:
        sides = checker.margins(one.phrase, features[one.places]).sides
        for key in bounds_keys(one.phrase):
            margins[key].append(sides)
            holds[key].append(one.holds)
    fitted = {}
    for key in margins:
        label = np.concatenate(holds[key])
        if min(label.sum(), (~label).sum()) >= _LEAST:
            fitted[key] = Bounds(*fit_bounds(np.concatenate(margins[key]), label, error))
    return fitted


def write_phrase_bounds(bounds: Mapping[str, Bounds], path: str | PathLike,
                        fingerprint: Mapping[str, Any] | None = None, fitted_on: str = '') -> None:
    """Write bounds by the names of `bounds_keys` to a JSON file.

    Args:
        bounds: By name.
        path: Of the file.
        fingerprint: Of the model; a search finds only a file of its own model by itself.
        fitted_on: Words on what they were fitted on.
    """
    said = dict(fingerprint=dict(fingerprint or {}) or None, fitted_on=fitted_on or None)
    write_durably(path, encode_json(dict(
        version=_VERSION,
        phrase_bounds={name: [pair.low, pair.high] for name, pair in bounds.items()},
        **{key: value for key, value in said.items() if value}), 2) + '\n')


def read_phrase_bounds(path: str | PathLike) -> dict[str, Bounds]:
    """Read bounds by the names of `bounds_keys`, as `write_phrase_bounds` writes them.

    Raises:
        BadValue: The file is none of these, or of margins of another version.
    """
    path = Path(path)
    bounds, _, version = _read(path)
    if version != _VERSION:
        raise BadValue(f'{path}: {_OTHER_MARGINS}')
    return bounds


def find_phrase_bounds(gallery: str | Noted, fingerprint: Mapping[str, Any],
                       model: str | None = None, weights: str | PathLike | None = None
                       ) -> dict[str, Bounds]:
    """Find the bounds of a model, in the folder of a gallery or beside the model.

    Args:
        gallery: Open, or the folder of one.
        fingerprint: Of the model.
        model: Its name or folder; by default that which the gallery notes.
        weights: Checkpoint, of a config.

    Returns:
        By the names of `bounds_keys`; empty where there are none of this model, or only of margins
        of another version, which is logged.

    Raises:
        BadValue: A file is there, and damaged.
    """
    if model is None:
        noted = read_provenance(gallery)
        model, weights = noted.model, noted.weights
    uri = gallery if isinstance(gallery, str) else gallery.uri
    for place in existing_places(uri, BOUNDS_FILE, model, weights):
        bounds, of_model, version = _read(place)
        if of_model and is_same_model(of_model, fingerprint):
            if version == _VERSION:
                return bounds
            _LOG.warning('%s: %s. Until then marks are label-free', place, _OTHER_MARGINS)
    return {}


def _read(path: Path) -> tuple[dict[str, Bounds], Mapping[str, Any], Any]:
    try:
        values = decode_json(path.read_text(encoding='utf-8'))
        bounds = {kind: Bounds(float(low), float(high))
                  for kind, (low, high) in values['phrase_bounds'].items()}
    except FileNotFoundError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadValue(f'{path}: no bounds of phrases; they are written as '
                       '{"version": 2, "phrase_bounds": {"clothing": [LOW, HIGH]}}') from error
    for kind, pair in bounds.items():
        if kind.partition(':')[0] not in _KINDS:
            raise BadValue(f'{path}: there are no phrases of {kind!r}, but of {", ".join(_KINDS)}, '
                           'and such as "accessory: backpack"')
        if not pair.low <= pair.high:  # also false for NaN
            raise BadValue(f'{path}: the bounds of {kind!r} are the wrong way round')
    of_model = values.get('fingerprint') or {}
    if not isinstance(of_model, dict):
        raise BadValue(f'{path}: the fingerprint of its model is no object')
    return bounds, of_model, values.get('version')
