"""File of a calibration: JSON that anybody can read, and that brings data alone."""

import base64
import binascii
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import decode_json, why_no_file, write_durably

from .best_of import PowerLaw, StrangerLaw
from .calibration import Curve, PresenceCalibration
from .evidence import EVIDENCE
from .sentence_lengths import word_lengths
from .split_normal import SplitNormal

__all__ = ['SCHEMA', 'describe_fit', 'read_calibration', 'write_calibration']

SCHEMA = 'mmtbps.presence/1'
_MOST_BYTES = 1 << 25
_MOST_SENTENCES, _MOST_DIMS, _MOST_KNOTS, _MOST_OTHERS = 1 << 12, 1 << 16, 1 << 14, 8


def write_calibration(path: str | os.PathLike, calibration: PresenceCalibration) -> Path:
    """Write a calibration durably, and return its path.

    The features of the neutral sentences are kept as half floats, whose rounding is far below any
    score's meaning.

    Args:
        path: Of the file.
        calibration: See `fit_calibration`.
    """
    found = calibration
    bank = np.asarray(found.bank, np.float16)
    values = dict(
        schema=SCHEMA, fingerprint=dict(found.fingerprint), **_parameters(found),
        others=[_parameters(other) for other in found.others], scale=list(found.scale),
        neutral=dict(shape=list(bank.shape), float16=base64.b64encode(
            bank.astype('<f2').tobytes()).decode('ascii')))
    write_durably(path, json.dumps(values, indent=1, allow_nan=False) + '\n')
    return Path(path)


def read_calibration(path: str | os.PathLike) -> PresenceCalibration:
    """Read a calibration.

    Raises:
        MissingFile: There is no such file.
        BadValue: It is no calibration of this version, or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f'{path}: no such calibration', Remedy('calibrate', dict(out=path)))
    try:
        if reason := why_no_file(path, ''):
            raise ValueError(reason)
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise ValueError(f'{size} bytes')
        values = decode_json(path.read_text(encoding='utf-8-sig'))
        if not isinstance(values, dict) or values.get('schema') != SCHEMA:
            raise ValueError(f'its schema is not {SCHEMA!r}')
        return _read(values)
    except (binascii.Error, AttributeError, KeyError, OverflowError, RecursionError, TypeError,
            ValueError) as error:
        reason = f'no {error}' if isinstance(error, KeyError) else str(error)
        raise BadValue(f'{path} is no calibration, or damaged ({reason[:120]}). Make it anew',
                       Remedy('calibrate', dict(out=path))) from error


def describe_fit(calibration: PresenceCalibration) -> str:
    """Word in a line what a calibration was fitted on."""
    known = calibration.fitted_on
    files = ', '.join(f'{name} (sha256 {str(digest)[:12]})'
                      for name, digest in dict(known.get('ann_files') or {}).items())
    words = known.get('words')
    areas = ', '.join(f'{area:.2f}' for area in known.get('auroc') or [])
    return ' | '.join([
        f'fitted on {known.get("dataset", "unnamed data")}, split {known.get("split", "unknown")}',
        f'annotations {files or "unknown"}',
        f'{known.get("people", "?")} people, {known.get("sentences", "?")} '
        f'{known.get("kind", "sentences")} x {known.get("pictures", "?")} pictures'
        + (f', {word_lengths(words)} each' if words else ''),
        f'galleries of {", ".join(map(str, known.get("sizes") or ["?"]))} people, '
        f'{100 * calibration.prior:g} % there'
        + (f', AUROC {areas}' if areas else ''),
        f'{known.get("method", "?")}, seed {known.get("seed", "?")}'])


def _parameters(found: PresenceCalibration) -> dict[str, Any]:
    """List what was fitted on sentences of one length; all else is the model's."""
    presence = dict(knots=[list(knot) for knot in found.presence.knots]) if found.presence.knots \
        else dict(slope=found.presence.slope, intercept=found.presence.intercept)
    return dict(
        protocol=describe_fit(found), fitted_on=dict(found.fitted_on), prior=found.prior,
        weights=dict(zip(EVIDENCE, np.asarray(found.weights).tolist(), strict=True)),
        match=_of_law(found.match),
        strangers=dict(mean=_of_curve(found.strangers.mean),
                       deviation=_of_curve(found.strangers.deviation),
                       right_share=found.strangers.right_share),
        presence=presence, hit=list(found.hit))


def _read(values: Mapping[str, Any]) -> PresenceCalibration:
    rows, dim = values['neutral']['shape']
    if not (isinstance(rows, int) and isinstance(dim, int) and 0 < rows <= _MOST_SENTENCES
            and 0 < dim <= _MOST_DIMS):
        raise ValueError('its neutral sentences have no sane shape')
    bank = np.frombuffer(base64.b64decode(values['neutral']['float16'], validate=True), '<f2')
    bank = bank.reshape(rows, dim).astype(np.float32)
    if not np.isfinite(bank).all():
        raise ValueError('a feature is not finite')
    if [*values['weights']] != [*EVIDENCE]:
        raise ValueError('its evidence is another')
    fingerprint, fitted_on = values['fingerprint'], values['fitted_on']
    if not isinstance(fingerprint, dict) or not isinstance(fitted_on, dict):
        raise TypeError('a fingerprint has names')
    if 'words' in fitted_on and not (len(lengths := fitted_on['words']) == 2 and all(
            isinstance(one, int) for one in lengths) and 0 <= lengths[0] <= lengths[1]):
        raise ValueError('the lengths of its sentences are none')
    if fingerprint.get('dim', dim) != dim:
        raise ValueError(f'its neutral sentences have {dim} numbers, and the model has '
                         f'{fingerprint["dim"]}')
    if 'auroc' in fitted_on:
        _numbers(fitted_on['auroc'], len(fitted_on['sizes']))
    hit, scale = _numbers(values['hit'], 3), _numbers(values['scale'], 2)
    prior = _number(values['prior'])
    if not 0 < prior < 1 or scale[1] <= 0:
        raise ValueError('a share or a deviation is none')
    found = PresenceCalibration(
        np.array(_numbers([*values['weights'].values()], len(EVIDENCE))),
        _law(values['match']),
        _strangers(values['strangers']),
        _presence(values['presence']), (hit[0], hit[1], hit[2]), bank, (scale[0], scale[1]), prior,
        fingerprint, fitted_on, _others(values))
    describe_fit(found)  # each answer is worded by it
    return found


def _others(values: Mapping[str, Any]) -> tuple[PresenceCalibration, ...]:
    """Read what was fitted on sentences of other lengths; files of old have none."""
    others = values.get('others', [])
    if not isinstance(others, list) or len(others) > _MOST_OTHERS:
        raise ValueError('its sentences of other lengths are no list')
    shared = {name: values[name] for name in ('fingerprint', 'scale', 'neutral')}
    if any('others' in one or 'words' not in one['fitted_on'] for one in others):
        raise ValueError('the lengths of its sentences are none')
    return tuple(_read({**one, **shared}) for one in others)


def _presence(values: Mapping[str, Any]) -> Curve:
    if 'knots' not in values:
        slope = _number(values['slope'])
        if slope < 0:
            raise ValueError('more evidence cannot speak less for a person')
        return Curve(slope, _number(values['intercept']))
    knots = [tuple(_numbers(knot, 2)) for knot in values['knots']]
    if not 1 <= len(knots) <= _MOST_KNOTS:
        raise ValueError(f'{len(knots)} knots')
    if any(a[0] > b[0] or a[1] > b[1] for a, b in zip(knots, knots[1:], strict=False)) or not all(
            0 <= knot[1] <= 1 for knot in knots):
        raise ValueError('its knots do not rise from 0 to 1')
    return Curve(knots=tuple(knots))


def _of_law(law: SplitNormal) -> dict[str, float]:
    return dict(mode=float(law.mode), left=float(law.left), right=float(law.right))


def _law(values: Mapping[str, Any]) -> SplitNormal:
    law = SplitNormal(*(_number(values[name]) for name in ('mode', 'left', 'right')))
    if law.left <= 0 or law.right <= 0:
        raise ValueError('a deviation must be above 0')
    return law


def _of_curve(curve: PowerLaw) -> dict[str, float | None]:
    return dict(limit=curve.limit, change=curve.change, curve=curve.curve,
                least=None if math.isinf(curve.least) else curve.least)


def _strangers(values: Mapping[str, Any]) -> StrangerLaw:
    law = StrangerLaw(_curve(values['mean']), _curve(values['deviation']),
                      _number(values['right_share']))
    if law.deviation.least <= 0 or not 0 < law.right_share < 1:
        raise ValueError('a law of the best stranger is none')
    return law


def _curve(values: Mapping[str, Any]) -> PowerLaw:
    bound = -math.inf if values['least'] is None else _number(values['least'])
    curve = PowerLaw(_number(values['limit']), _number(values['change']),
                     _number(values['curve']), bound)
    if curve.curve <= 0:
        raise ValueError('a law of the best stranger is none')
    return curve


def _numbers(values: Any, count: int) -> list[float]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f'{count} numbers are needed')
    return [_number(value) for value in values]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f'{str(value)[:30]!r} is no finite number')
    return float(value)
