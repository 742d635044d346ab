"""Errors of a gallery that holds other features than those at hand."""

from collections.abc import Mapping
from typing import Any

from mmtbps.errors import BadValue, Remedy

from .fingerprint import CAPTIONS, without_captions

__all__ = ['CaptionMismatch', 'GalleryMismatch', 'mismatch_of']


class GalleryMismatch(BadValue):
    """A gallery of features of another model than the one at hand.

    Args:
        uri: Of the gallery.
        stored: The fingerprint of the gallery.
        given: The fingerprint of the model.
    """

    def __init__(self, uri: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        differs = ', '.join(f'{key}: {_short(stored.get(key))} there, {_short(given.get(key))} here'
                            for key in sorted(stored.keys() | given.keys())
                            if stored.get(key) != given.get(key))
        super().__init__(
            f'{uri} holds features of another model ({differs}); they cannot be compared with '
            'those of this one. Index the images again, into a new gallery',
            Remedy('index', dict(gallery='NEW.lance')))
        self.uri, self.stored, self.given = uri, dict(stored), dict(given)

    def __reduce__(self) -> tuple:
        return type(self), (self.uri, self.stored, self.given)


class CaptionMismatch(BadValue):
    """A gallery whose features hold other captions, or another share of them, than those of a run.

    Args:
        uri: Of the gallery.
        stored: Captioner and weight of the gallery; None without.
        given: Those of the run.
    """

    def __init__(self, uri: str, stored: Mapping[str, Any] | None,
                 given: Mapping[str, Any] | None) -> None:
        super().__init__(
            f'{uri} holds features of pictures {_word(stored)}, and this run makes them '
            f'{_word(given)}; they cannot be compared. Index the images into a new gallery, or '
            'make them as the gallery has them',
            Remedy('leave_captioner_out') if stored is None else Remedy(
                'name_captioner', dict(captioner=_name(stored), weight=stored.get('weight'))))
        self.uri, self.stored, self.given = uri, stored, given

    def __reduce__(self) -> tuple:
        return type(self), (self.uri, self.stored, self.given)


def mismatch_of(uri: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> BadValue:
    """Make the error for two fingerprints that differ: of the model, or of the captions alone.

    Args:
        uri: Of the gallery.
        stored: The fingerprint of the gallery.
        given: That of the run, of which none is the gallery's.

    Example:
        >>> there = dict(model='a', dim=2)
        >>> type(mismatch_of('people', there, {**there, 'captions': dict(weight=.3)})).__name__
        'CaptionMismatch'
        >>> type(mismatch_of('people', there, dict(model='b', dim=2))).__name__
        'GalleryMismatch'
    """
    if stored.get(CAPTIONS) != given.get(CAPTIONS) and _same_but_for_captions(stored, given):
        return CaptionMismatch(uri, stored.get(CAPTIONS), given.get(CAPTIONS))
    return GalleryMismatch(uri, stored, given)


def _same_but_for_captions(stored: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Tell whether two fingerprints are of one model, whatever captions were mixed in."""
    former = getattr(given, 'former', tuple)()
    return without_captions(stored) in [without_captions(one) for one in (given, *former)]


def _word(captions: Mapping[str, Any] | None) -> str:
    if captions is None:
        return 'without captions'
    weights = captions.get('weights')
    return (f'with captions of {_name(captions)}' + (f' ({_short(weights)})' if weights else '')
            + f' at weight {captions.get("weight")}')


def _name(captions: Mapping[str, Any]) -> str:
    return str(captions.get('captioner'))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 16 else f'{text[:12]}...'
