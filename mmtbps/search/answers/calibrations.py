"""Calibration of a model: the file that a search finds beside its gallery or its model."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, Remedy
from mmtbps.evaluation.presence.calibration import PresenceCalibration
from mmtbps.evaluation.presence.calibration_file import read_calibration
from mmtbps.pretrained import SCHEMES

from ..galleries.fingerprint import is_same_model

__all__ = ['CALIBRATION_FILE', 'existing_places', 'find_calibration', 'load_calibration',
           'place_of_calibration']

#: In the folder of a gallery.
CALIBRATION_FILE = 'presence.json'
_SUFFIX = f'.{CALIBRATION_FILE}'
_SCHEME = re.compile(rf'(?:{"|".join(SCHEMES)}|onnx):')


def place_of_calibration(model: str | os.PathLike, weights: str | os.PathLike | None = None,
                         suffix: str = _SUFFIX) -> Path | None:
    """Return the place of a model's calibration: beside its folder, or beside its checkpoint.

    Args:
        model: Folder, with or without a scheme such as ``hf:``; a name of a hub has no place here.
        weights: Checkpoint, of a config.
        suffix: Of the file's name.

    Example:
        >>> place_of_calibration('config.py', 'runs/best.pth').as_posix()
        'runs/best.presence.json'
        >>> place_of_calibration('hf:owner/name')
    """
    if weights is not None:
        return Path(weights).with_suffix(suffix)
    folder = Path(_SCHEME.sub('', os.fspath(model), count=1)).expanduser()
    return folder.with_name(folder.resolve().name + suffix) if folder.is_dir() else None


def load_calibration(path: str | os.PathLike,
                     fingerprint: Mapping[str, Any]) -> PresenceCalibration:
    """Read a calibration of a model.

    Args:
        path: Of the file.
        fingerprint: Of the model at hand.

    Raises:
        BadValue: It is damaged, or of another model.
    """
    found = read_calibration(path)
    if not is_same_model(found.fingerprint, fingerprint):
        raise BadValue(f'{path} is the calibration of another model: its scores mean something '
                       'else. Make one of this model', Remedy('calibrate', dict(out=path)))
    return found


def find_calibration(uri: str, fingerprint: Mapping[str, Any], model: str | None = None,
                     weights: str | os.PathLike | None = None
                     ) -> tuple[PresenceCalibration | None, str]:
    """Find the calibration of a model, in the folder of a gallery or beside the model.

    Args:
        uri: Of the gallery.
        fingerprint: Of the model.
        model: Its name or folder, if it is known.
        weights: Checkpoint, of a config.

    Returns:
        The calibration, or None with the reason.

    Raises:
        BadValue: A file is there, and damaged.
    """
    reason = ''
    for place in existing_places(uri, CALIBRATION_FILE, model, weights):
        found = read_calibration(place)
        if is_same_model(found.fingerprint, fingerprint):
            return found, ''
        reason = f'{place} is of another model'
    return None, reason


def existing_places(uri: str, name: str, model: str | None = None,
                    weights: str | os.PathLike | None = None) -> list[Path]:
    """List the files that there are of a model: in a gallery's folder, and beside the model.

    Args:
        uri: Of the gallery.
        name: Of the file in a gallery, and the end of its name beside a model.
        model: Its name or folder, if it is known.
        weights: Checkpoint, of a config.
    """
    places = [] if '://' in uri else [Path(uri, name)]
    if model is not None and (beside := place_of_calibration(model, weights, f'.{name}')):
        places.append(beside)
    return [place for place in places if place.exists()]
