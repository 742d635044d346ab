"""Provenance of a gallery: the folder of its images and the model it was made with.

A gallery holds features and metadata, not the images. This note lies in the gallery, in a file of
its folder or as a text on its server, so that a query needs no more than the gallery's name.

A gallery travels: the folder of its model is noted relative to it (a path that begins with a dot),
and where it was besides. It may come from a stranger: a note names a folder or a model of a hub,
which bring data alone; a config, which is a program, is never taken from it.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import decode_json
from mmtbps.pretrained import SCHEMES

from .note_places import NoteFile, NotePlace

__all__ = ['Noted', 'NotedProgram', 'Provenance', 'check_noted_model', 'read_provenance',
           'write_provenance']

_FACTS = ('details', 'detection')
#: Kinds of what is used of the facts; all else of them is only shown.
_OF_DETAILS = dict(aspect=str | None, prompts=list | None)
_OF_DETECTION = dict(detector=str | None, weights=str | None, every=float | int | None,
                     track=bool | None)
_OF_LOADED_DETECTOR = dict(threshold=float | int | None, min_height=float | int | None)
_WAS = 'model_was'
_SCHEME = re.compile(rf'(?:{"|".join(SCHEMES)}|onnx):')


class NotedProgram(BadValue):
    """A note of a gallery by which a config, a program, would run."""


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


class Noted(Protocol):
    """A gallery, which knows the place of its note.

    Attributes:
        uri: Its address.
    """

    uri: str

    @property
    def note(self) -> NotePlace:
        """Place of the note."""


def read_provenance(gallery: str | Noted) -> Provenance:
    """Read the note of a gallery; an empty one if it has none.

    A folder that is noted relative to the gallery comes as an absolute path.

    Args:
        gallery: Open, or the folder of one.

    Raises:
        ValueError: If the note is broken.
    """
    place = _place_of(gallery)
    try:
        text = place.read()
        if text is None:
            return Provenance()
        values = decode_json(text)
        was = values.pop(_WAS, None)
        note = Provenance(**values)
        _check_values(note, was)
        return replace(note, model=note.model and _from_gallery(note.model, was, place.folder),
                       images=note.images and _from_gallery(note.images, None, place.folder))
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise BadValue(f'{place.name}: broken ({error}); remove it and index again') from error


def _place_of(gallery: str | Noted) -> NotePlace:
    return NoteFile(gallery) if isinstance(gallery, str) else gallery.note


def _check_values(note: Provenance, was: Any) -> None:
    """Check what is used of a note, which may be a stranger's or edited by hand.

    Raises:
        TypeError: A value is of another kind, or missing.
        ValueError: A text can be no path.
    """
    kinds = dict.fromkeys((*asdict(note), _WAS), str | None) | dict.fromkeys(_FACTS, dict | None)
    _check_kinds(asdict(note) | {_WAS: was}, kinds)
    if note.details is not None:
        _check_kinds(note.details, _OF_DETAILS)
        prompts = dict(enumerate(note.details.get('prompts') or ()))
        _check_kinds(prompts, dict.fromkeys(prompts, str))
    if note.detection is not None:
        if 'detector' not in note.detection:
            raise TypeError("the detection has no 'detector'")
        _check_kinds(note.detection, _OF_DETECTION)
        if note.detection.get('weights'):  # one's own detector may have settings of any kind
            _check_kinds(note.detection, _OF_LOADED_DETECTOR)


def _check_kinds(values: Mapping[Any, Any], kinds: Mapping[Any, Any]) -> None:
    for key, kind in kinds.items():
        value = values.get(key)
        if not isinstance(value, kind):
            raise TypeError(f'{key} cannot be {str(value)[:60]!r}')
        if isinstance(value, str) and b'\0' in os.fsencode(value):
            raise ValueError(f'{key} holds a zero byte')


def check_noted_model(uri: str, note: Provenance) -> None:
    """Check that the model of a gallery brings no code, and is where it was.

    A name of a hub is not looked up, nor a short name of a config of this package.

    Raises:
        NotedProgram: it is a config; the remedy is to name it again.
        MissingFile: the folder or checkpoint is gone; the remedy is to name its new place.
    """
    if note.model and not _brings_data_alone(note.model):
        raise NotedProgram(
            f'{uri}: its model is noted as a config, {note.model}. A config is a program, which '
            'runs as you run it: none is taken from a gallery. If you trust it, name it',
            Remedy('name_config', dict(config=note.model, checkpoint=note.weights)))
    scheme, folder = _split_scheme(note.model or '')
    for what, path in (('model', folder), ('checkpoint', note.weights or '')):
        if os.path.isabs(path) and not os.path.exists(path):
            raise MissingFile(
                f'{uri}: its {what} was {scheme if what == "model" else ""}{path}, which is gone. '
                'If it was moved, name its new place', Remedy('name_checkpoint') if note.weights
                else Remedy('name_model', dict(model=f'{scheme}NEW')))


def write_provenance(gallery: str | Noted, **known: str | os.PathLike | dict | None) -> Provenance:
    """Note the facts known now and keep the rest; return the whole note.

    Args:
        gallery: Open, or the folder of one; nothing is written for one that was not begun.
        known: ``images``, ``model``, ``weights``, ``details``, ``detection``; paths are made
            absolute, ``None`` is not known. A model that is another takes the place of the former
            with its weights.
    """
    said = {key: _absolute(value) for key, value in known.items() if value is not None}
    place = _place_of(gallery)
    if not place.exists():
        return Provenance(**said)
    new = Provenance()

    def change() -> str | None:
        nonlocal new
        old = read_provenance(gallery)
        former = dict(weights=None) if said.get('model', old.model) != old.model else {}
        new = replace(old, **former | said)
        return None if new == old else _word(new, place.folder)

    place.change(change)
    return new


def _word(note: Provenance, folder: str | None) -> str:
    """Write a note as JSON; without facts it is one that earlier versions read, too."""
    written = {key: value for key, value in asdict(note).items()
               if key not in _FACTS or value is not None}
    written['model'] = note.model and _to_gallery(note.model, folder)
    if written['model'] != note.model:
        written[_WAS] = note.model
    return json.dumps(written, indent=2) + '\n'


def _brings_data_alone(model: str) -> bool:
    """Tell a folder, and a name of a hub or of a config of this package, from a file to run."""
    scheme, name = _split_scheme(model)
    return bool(scheme) or not os.path.isfile(name)


def _split_scheme(model: str) -> tuple[str, str]:
    """Split the name of a model into its scheme with the colon, if it has one, and the rest."""
    scheme = _SCHEME.match(model)
    return (scheme[0], model[scheme.end():]) if scheme else ('', model)


def _to_gallery(model: str, folder: str | None) -> str:
    """Return the path of a model relative to the gallery's folder; a name stays a name."""
    scheme, path = _split_scheme(model)
    if folder is None or not os.path.isabs(path):
        return model
    try:
        near = os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    except ValueError:  # on another drive
        return model
    return scheme + (near if near.startswith(os.pardir) else os.path.join(os.curdir, near))


def _from_gallery(model: str, was: str | None, folder: str | None) -> str:
    """Return the absolute path of a folder that is noted relative to the gallery, or else its name.

    Where nothing is, and something is where the model was, it is that.
    """
    scheme, path = _split_scheme(model)
    if folder is None or not path.startswith(os.curdir):
        return model
    found = os.path.normpath(os.path.join(os.path.realpath(folder), path))
    if not os.path.exists(found) and was and os.path.exists(_split_scheme(was)[1]):
        return was
    return scheme + found


def _absolute(value: str | os.PathLike | dict) -> str | dict:
    """Make an existing path absolute, behind a scheme too; any other name stays a name."""
    if isinstance(value, dict):
        return value
    scheme, path = _split_scheme(os.fspath(value))
    return scheme + os.path.abspath(path) if os.path.exists(path) else os.fspath(value)
