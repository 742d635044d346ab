"""Provenance of a gallery: the folder of its images and the model it was made with.

A gallery holds features and metadata, not the images. This note lies beside them in the gallery's
folder, so that a query needs no more than the gallery's name. A gallery on a server has none.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import write_durably
from mmtbps.pretrained import parse_model_name

from .write_lock import gallery_lock

__all__ = ['Provenance', 'check_noted_model', 'read_provenance', 'write_provenance']

_FILE = 'origin.json'
_FACTS = ('details', 'detection')


@dataclass(frozen=True, slots=True)
class Provenance:
    """The images and the model of a gallery.

    Args:
        images: Folder that the paths of its entries are relative to.
        model: Name, config or folder of the model.
        weights: Its checkpoint.
        details: Of a pretrained model: name, revision, hash of the weights, aspect, prompts, scale
            and bias of its score.
        detection: Settings that decide what an entry is: ``detector`` (``None`` if a file is one
            person), and of a detector ``weights``, ``threshold``, ``min_height``, ``every`` and
            ``track``.
    """

    images: str | None = None
    model: str | None = None
    weights: str | None = None
    details: dict[str, Any] | None = None
    detection: dict[str, Any] | None = None


def read_provenance(uri: str) -> Provenance:
    """Read the note of a gallery; an empty one if it has none.

    Raises:
        ValueError: If the note is broken.
    """
    file = Path(uri, _FILE)
    if '://' in uri or not file.is_file():
        return Provenance()
    try:
        note = Provenance(**json.loads(file.read_text(encoding='utf-8')))
        if wrong := [value for key, value in asdict(note).items()
                     if not isinstance(value, dict | None if key in _FACTS else str | None)]:
            raise TypeError(f'a path must be text, got {wrong[0]!r}')
        return note
    except (ValueError, TypeError) as error:
        raise BadValue(f'{file}: broken ({error}); remove it and index again') from error


def check_noted_model(uri: str, note: Provenance) -> None:
    """Check that the model of a gallery is where it was when the gallery was made.

    A name of a hub is not looked up, nor a short name of a config.

    Raises:
        MissingFile: the folder, config or checkpoint is gone; the remedy is to name its new place.
    """
    scheme = parse_model_name(note.model).scheme if note.model else ''
    for what, path in (('model', (note.model or '').removeprefix(f'{scheme}:')),
                       ('checkpoint', note.weights or '')):
        if os.path.isabs(path) and not os.path.exists(path):
            prefix = f'{scheme}:' if scheme else ''
            raise MissingFile(
                f'{uri}: its {what} was {prefix if what == "model" else ""}{path}, which is gone. '
                'If it was moved, name its new place', Remedy('name_checkpoint') if note.weights
                else Remedy('name_model', dict(model=f'{prefix}NEW')))


def write_provenance(uri: str, **known: str | os.PathLike | dict | None) -> Provenance:
    """Note the facts known now and keep the rest; return the whole note.

    Args:
        uri: An existing gallery; nothing is written for one on a server.
        known: ``images``, ``model``, ``weights``, ``details``, ``detection``; paths are made
            absolute, ``None`` is not known.
    """
    said = {key: _absolute(value) for key, value in known.items() if value is not None}
    if '://' in uri or not Path(uri).is_dir():
        return Provenance(**said)
    with gallery_lock(uri):
        old = read_provenance(uri)
        new = replace(old, **said)
        if new != old:
            # Without these the note is one that earlier versions read, too.
            written = {key: value for key, value in asdict(new).items()
                       if key not in _FACTS or value is not None}
            write_durably(Path(uri, _FILE), json.dumps(written, indent=2) + '\n')
    return new


def _absolute(value: str | os.PathLike | dict) -> str | dict:
    """Make an existing path absolute; the name of a config stays a name."""
    if isinstance(value, dict):
        return value
    return os.path.abspath(value) if os.path.exists(value) else str(value)
