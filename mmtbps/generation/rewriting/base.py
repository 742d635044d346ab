"""Writers of captions: the contract between what needs captions and what writes them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from mmtbps.errors import BadValue

__all__ = ['CaptionRewriter', 'RetellRequest']


@dataclass(frozen=True, slots=True)
class RetellRequest:
    """One image whose captions are to be told in other words, or as they read after a change.

    Args:
        job_id: Identity of the job.
        captions: Its captions as they are.
        image: The picture, RGB; ``None`` where the rewriter does not look at it.
        seed: For every random draw of this job.
        name: Image path in the annotation file.
        change: Sentence about what is different now, such as "the shirt is a hoodie now"; empty
            if all is as it was.
    """

    job_id: str
    captions: tuple[str, ...]
    image: Image.Image | None
    seed: int
    name: str = ''
    change: str = ''


class CaptionRewriter(ABC):
    """Writer of further captions of a picture, from its captions or from the picture itself."""

    #: Whether it looks at the picture; the run then reads it.
    sees_pictures: bool = False
    #: Whether it writes the captions that hold after a change.
    tells_changes: bool = False

    @property
    @abstractmethod
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the captions, for the manifest's digest; JSON types."""

    @abstractmethod
    def rewrite(self, requests: Sequence[RetellRequest]) -> list[list[str]]:
        """Write new captions of each image; an empty list where none can be written."""

    def refuse_changes(self, requests: Sequence[RetellRequest]) -> None:
        """Refuse requests with a change unless `tells_changes`.

        Without it a writer would give captions of what was before for those of what is now.

        Raises:
            BadValue: Naming the rewriter and the first change.
        """
        change = next(filter(None, (request.change for request in requests)), '')
        if change and not self.tells_changes:
            raise BadValue(f'{type(self).__name__} writes no captions after a change, asked for '
                           f'{change!r}: use a rewriter that does, such as LanguageModelRewriter '
                           'or RecordedRewriter')
