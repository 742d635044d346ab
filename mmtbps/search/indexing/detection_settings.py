"""Settings of detection, which decide what an entry of a gallery is."""

from typing import Any

from mmtbps.errors import BadValue, Remedy

from ..galleries.base import BaseGallery
from ..galleries.provenance import read_provenance
from .options import DetectionOptions

__all__ = ['DetectionMismatch', 'settle_detection', 'was_detected']

_OF_IMAGES = ('threshold', 'min_height')
_OF_VIDEOS = ('every', 'track')


class DetectionMismatch(BadValue):
    """A run that would make other entries of the files than the gallery has of them."""


def settle_detection(gallery: BaseGallery, detection: DetectionOptions | None) -> dict[str, Any]:
    """Check that a run makes entries in the way that a gallery's were made.

    A gallery without a note, of an earlier version, is judged by its entries: those with a box were
    found by a detector.

    Args:
        gallery: That is indexed into.
        detection: Of the run; ``None`` if a file is a crop of one person.

    Returns:
        The settings of the run, for the note of the gallery.

    Raises:
        DetectionMismatch: Naming what differs.
    """
    given = dict(detector=None) if detection is None else detection.settings
    if not gallery.count():
        return given
    uri, noted = gallery.uri, read_provenance(gallery).detection
    if noted is None:
        found = was_detected(gallery)
        noted = given if found == (detection is not None) else dict(
            detector='a detector' if found else None)
    if (noted['detector'] is None) != (detection is None):
        raise _other_kind(uri, noted['detector'])
    keys = _OF_IMAGES + (_OF_VIDEOS if gallery.knows('frame') else ())
    same = _identity(noted, given) == _identity(given, noted)
    differs = [] if same else [f'detector: {noted["detector"]} there, {given["detector"]} here']
    differs += [f'{key}: {noted.get(key)} there, {given.get(key)} here' for key in keys
                if noted.get(key) != given.get(key)]
    if differs:
        raise DetectionMismatch(
            f'{uri} holds people found with other settings ({"; ".join(differs)}). Leave them out '
            'to take those of the gallery, or index the images into a new gallery')
    return given


def was_detected(gallery: BaseGallery) -> bool:
    """Tell whether the people of a gallery were found by a detector."""
    noted = read_provenance(gallery).detection
    if noted is None:
        return any(entry.box is not None for entry in gallery.entries())
    return noted['detector'] is not None


def _identity(settings: dict[str, Any], other: dict[str, Any]) -> Any:
    """Return the weights of a detector, which may move, or its name where they are not known."""
    known = settings.get('weights') and other.get('weights')
    return settings['weights'] if known else settings['detector']


def _other_kind(uri: str, detector: str | None) -> DetectionMismatch:
    if detector is None:
        return DetectionMismatch(
            f'{uri} holds whole pictures; the people found in them would take their place. Index '
            'without a detector, or into a new gallery')
    return DetectionMismatch(
        f'{uri} holds people found by {detector}; whole pictures would take their place, and those '
        'of videos would be lost. Index into a new gallery if whole pictures are meant; else',
        Remedy('name_detector'))
