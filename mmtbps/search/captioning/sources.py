"""Sources of captions: the contract, and models that look at the picture."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from mmtbps.errors import UserError

from ..galleries.base import GalleryEntry

__all__ = ['CaptionModel', 'CaptionSource', 'NoCaption']


class NoCaption(UserError):
    """A picture of which there is no caption; it is indexed without."""


class CaptionSource(Protocol):
    """Source of captions for the entries of a gallery.

    Attributes:
        of_people: Whether it tells the people apart that a detector finds in one file.
        identity: In JSON types, for the gallery's fingerprint: ``captioner``, and of a model its
            ``weights``.
    """

    of_people: bool
    identity: dict[str, Any]

    def start(self, paths: Sequence[str], root: Path) -> None:
        """Begin a run over files, named as the gallery keeps them, below the images' root."""

    def captions(self, entry: GalleryEntry, image: Image.Image) -> list[str]:
        """Return one or several sentences on a crop.

        Raises:
            NoCaption: There is none, and why. Any other exception is taken for the same.
        """

    def is_current(self, entries: Sequence[GalleryEntry]) -> bool:
        """Tell whether the captions that a gallery holds of one file may stay."""


class CaptionModel:
    """Image-to-text model of transformers that describes each crop.

    It takes the likeliest words, so that a picture has the same caption in every run.

    Args:
        name: ``'hf:owner/name'``, perhaps with ``@REVISION``, or ``'hf:FOLDER'``.
        device: ``'cpu'``, ``'cuda'``; by default CUDA if there is one.
        writer: Of `mmtbps.generation.rewriting`, in place of the one of that name.

    Raises:
        MissingFile: There is no such model.
        BadValue: It is a model for another task.
    """

    of_people = True

    def __init__(self, name: str, device: str | None = None, writer: Any = None) -> None:
        if writer is None:
            from mmtbps.generation.rewriting import Captioner
            writer = Captioner(name, instructions=Captioner.default_instructions[:1],
                               temperature=0, device=device)
        self.writer = writer
        fields = json.dumps(writer.digest_fields, sort_keys=True)
        scheme, _, place = name.rpartition(':')
        shown = Path(place).resolve().name if os.path.isdir(place) else place
        # A folder may be moved: the weights tell it, not its place.
        self.identity = dict(captioner=f'{scheme}:{shown}' if scheme else shown,
                             weights=hashlib.sha256(fields.encode()).hexdigest()[:16])

    def start(self, paths: Sequence[str], root: Path) -> None:
        """Begin a run; a model needs to know nothing of it."""

    def captions(self, entry: GalleryEntry, image: Image.Image) -> list[str]:
        """Describe a crop.

        Raises:
            NoCaption: The model answers nothing.
        """
        from mmtbps.generation.rewriting import RetellRequest
        found, = self.writer.rewrite([RetellRequest(entry.id, (), image, 0, entry.path)])
        if not any(text.strip() for text in found):
            raise NoCaption('the captioner answered nothing')
        return [text for text in found if text.strip()]

    def is_current(self, entries: Sequence[GalleryEntry]) -> bool:
        """Tell whether no crop lacks a caption; people of photographs are not looked for again."""
        return all(entry.caption is not None or entry.box is not None for entry in entries)
