"""Captions told anew: the contract between a run and what writes the captions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

__all__ = ['CaptionRewriter', 'RetellRequest']


@dataclass(frozen=True, slots=True)
class RetellRequest:
    """One image whose captions are to be told in other words.

    Args:
        job_id: Identity of the job.
        captions: Its captions as they are.
        image: The picture, RGB; ``None`` where the rewriter does not look at it.
        seed: For every random draw of this job.
        name: Image path in the annotation file.
    """

    job_id: str
    captions: tuple[str, ...]
    image: Image.Image | None
    seed: int
    name: str = ''


class CaptionRewriter(ABC):
    """Writer of further captions of a picture, from its captions or from the picture itself."""

    #: Whether it looks at the picture; the run then reads it.
    sees_pictures: bool = False

    @property
    @abstractmethod
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the captions, for the manifest's digest; JSON types."""

    @abstractmethod
    def rewrite(self, requests: Sequence[RetellRequest]) -> list[list[str]]:
        """Write new captions of each image; an empty list where none can be written."""
