"""Captions of one index run: asked for crop by crop, mixed into the features batch by batch."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue, UserError, first_line
from mmtbps.fileio import append_json_lines

from ..encoders.base import Encoder, Fingerprint
from ..encoders.queries import read_queries
from ..galleries.base import GalleryEntry
from ..galleries.fingerprint import CAPTIONS
from .caption_file import JOIN
from .fusion import check_caption_weight, mix_captions
from .sources import CaptionSource

__all__ = ['CaptionOptions', 'CaptionRun', 'with_captions']

#: If so many first pictures fail and none succeeds, the captioner is broken and not a picture.
_ALL_FAIL = 20


class CaptionReport(Protocol):
    """Account that a run counts in, see `mmtbps.search.indexing.IndexReport`."""

    captioned: int
    cut_captions: int
    uncaptioned: list[tuple[str, str]]


@dataclass(frozen=True)
class CaptionOptions:
    """Captions of an index run.

    Args:
        source: Of `open_captions`.
        weight: Share of the captions in the features, from 0 to below 1.

    Raises:
        BadValue: The weight is none.
    """

    source: CaptionSource
    weight: float = .3

    def __post_init__(self) -> None:
        check_caption_weight(self.weight)

    @property
    def identity(self) -> dict[str, Any]:
        """Captioner and weight, for the fingerprint of a gallery."""
        return dict(self.source.identity, weight=float(self.weight))

    def check(self, detected: bool, keys: Sequence[str]) -> None:
        """Check that captions fit a run.

        Args:
            detected: Whether a detector finds the people.
            keys: Of one's own, in the table of metadata.

        Raises:
            BadValue: A file tells not who is who in a photograph, or a key is the captions' own.
        """
        if detected and not self.source.of_people:
            raise BadValue('a file of captions does not tell apart the people that a detector '
                           'finds in a file: take a model as the captioner, or index crops')
        if 'caption' in keys:
            raise BadValue("the table of metadata has a key 'caption', which is that of the "
                           'captioner: give it another name')


def with_captions(fingerprint: Mapping[str, Any],
                  identity: Mapping[str, Any] | None) -> Fingerprint | Mapping[str, Any]:
    """Add captioner and weight to the fingerprint of a model, and to its former ones.

    Args:
        fingerprint: Of the model.
        identity: Of the captions; None leaves it as it is.

    Example:
        >>> with_captions(dict(model='a', dim=2), dict(captioner='FILE', weight=.3))['captions']
        {'captioner': 'FILE', 'weight': 0.3}
    """
    if identity is None:
        return fingerprint
    former = getattr(fingerprint, 'former', tuple)
    return Fingerprint({**fingerprint, CAPTIONS: dict(identity)},
                       lambda: [{**one, CAPTIONS: dict(identity)} for one in former()])


class CaptionRun:
    """Captions of the crops of one run.

    A crop that gets none, because the captioner fails at it, answers nothing, or says no word that
    the model knows, is stored with the feature of its picture alone, and counted.

    Args:
        options: Source and weight.
        encoder: Of the gallery's model.
        report: What is counted goes there.
        log: A JSON line is appended to this file for each crop without a caption.

    Raises:
        BadValue: In `describe`, if the captioner fails at all of the first pictures.
    """

    def __init__(self, options: CaptionOptions, encoder: Encoder, report: CaptionReport,
                 log: str | os.PathLike | None = None) -> None:
        self.options, self.encoder, self.report, self.log = options, encoder, report, log
        self._sentences: dict[str, list[str]] = {}

    def start(self, paths: Sequence[str], root: Path) -> None:
        """Begin.

        Args:
            paths: Files of the run.
            root: Of the images.
        """
        self.options.source.start(paths, root)

    def describe(self, entry: GalleryEntry, image: Image.Image) -> GalleryEntry:
        """Ask for the caption of a crop and return its entry with it."""
        try:
            texts = self.options.source.captions(entry, image)
            queries = read_queries(self.encoder, texts)
        except Exception as error:  # whatever a model raises, the other pictures go on
            self._skip(entry.path, error)
            return replace(entry, caption=None)
        self.report.captioned += 1
        self.report.cut_captions += any(query.read is not None for query in queries)
        self._sentences[entry.id] = [query.encoded for query in queries]
        return replace(entry, caption=JOIN.join(texts))

    def mix(self, entries: Sequence[GalleryEntry], features: np.ndarray) -> np.ndarray:
        """Mix the captions of entries, of `describe`, into ``(N, D)`` features of their pictures.

        Of several captions it is the mean of their unit features.
        """
        sentences = [self._sentences.pop(entry.id, []) for entry in entries]
        flat = [text for texts in sentences for text in texts]
        encoded = iter(self.encoder.encode_texts(flat) if flat else ())
        captions = np.zeros_like(features)
        for row, texts in enumerate(sentences):
            for _ in texts:
                captions[row] += next(encoded)
        return mix_captions(features, captions, self.options.weight)

    def _skip(self, path: str, error: Exception) -> None:
        reason = first_line(error) if isinstance(error, UserError) else (
            f'{type(error).__name__}: {first_line(error)}')
        self.report.uncaptioned.append((path, reason))
        if self.log is not None:
            append_json_lines(self.log, [dict(path=path, uncaptioned=reason)])
        if not self.report.captioned and not isinstance(error, UserError) and len(
                self.report.uncaptioned) >= _ALL_FAIL:
            raise BadValue(f'the captioner failed at all of the first {_ALL_FAIL} pictures, such '
                           f'as {path}: {reason}') from error
