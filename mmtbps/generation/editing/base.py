"""Requests and results of edits: the contract between planner, editors and gates."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue

from ..color.votes import band_of
from ..diffusion.tokens import Span
from ..evidence.base import EditEvidence

__all__ = ['BaseEditor', 'BaseUpscaler', 'EditRequest', 'EditResult', 'Span']


@dataclass(frozen=True, slots=True)
class EditRequest:
    """One garment of one image and its new colour. All spans are ``[start, end)`` in characters.

    Args:
        job_id: Identity of the job; names the output and seeds everything random.
        image: The person, RGB.
        source_captions: Every caption of the image, as people wrote it.
        target_captions: The same captions after the colour switch, in the same order.
        caption_index: Which caption drives the edit; the four spans belong to this one.
        source_span: The old colour words in the source caption (``'dark blue'``).
        target_span: The new colour words in the target caption (``'green'``).
        phrase_span: Colour and garment in the source caption (``'dark blue shirt'``).
        target_phrase_span: Colour and garment in the target caption (``'green shirt'``).
        old_color: Basic name of the old colour (``'blue'``).
        new_color: Basic name of the new colour.
        noun: The garment, as the lexicon writes it.
        region: Where it is worn: ``'upper'``, ``'lower'`` or ``'full'``.
        seed: For every random draw of this job.
        evidence: What is known of the image apart from its captions; ``None`` if nobody looked.

    Raises:
        BadValue: Naming the job, if a span is empty or outside its caption, the phrase does not
            hold its colour, or the caption lists disagree.

    >>> request = EditRequest(
    ...     'j1', Image.new('RGB', (8, 24)), ('A blue shirt.',), ('A red shirt.',), 0,
    ...     (2, 6), (2, 5), (2, 12), (2, 11), 'blue', 'red', 'shirt', 'upper', seed=7)
    >>> request.source_caption, request.target_caption
    ('A blue shirt.', 'A red shirt.')
    """

    job_id: str
    image: Image.Image
    source_captions: tuple[str, ...]
    target_captions: tuple[str, ...]
    caption_index: int
    source_span: Span
    target_span: Span
    phrase_span: Span
    target_phrase_span: Span
    old_color: str
    new_color: str
    noun: str
    region: str
    seed: int
    evidence: EditEvidence | None = None

    def __post_init__(self) -> None:
        if len(self.source_captions) != len(self.target_captions):
            raise BadValue(f'{self.job_id}: {len(self.source_captions)} source captions, but '
                           f'{len(self.target_captions)} target captions')
        if not 0 <= self.caption_index < len(self.source_captions):
            raise BadValue(f'{self.job_id}: caption_index {self.caption_index} is not among '
                           f'{len(self.source_captions)} captions')
        self._check_spans('source', self.source_caption, self.source_span, self.phrase_span)
        self._check_spans('target', self.target_caption, self.target_span, self.target_phrase_span)

    @property
    def source_caption(self) -> str:
        """Caption that drives the edit, before it."""
        return self.source_captions[self.caption_index]

    @property
    def target_caption(self) -> str:
        """Caption that drives the edit, after it."""
        return self.target_captions[self.caption_index]

    @property
    def band(self) -> tuple[float, float]:
        """Top and bottom of the band the garment may be in, shares of the height.

        Raises:
            BadValue: Naming the job, if there is no band for the region.
        """
        try:
            return band_of(self.region)
        except BadValue as error:
            raise BadValue(f'{self.job_id}: {error}') from error

    def _check_spans(self, side: str, caption: str, color: Span, phrase: Span) -> None:
        for start, end in (color, phrase):
            if not 0 <= start < end <= len(caption):
                raise BadValue(f'{self.job_id}: span ({start}, {end}) is not inside the {side} '
                               f'caption of {len(caption)} characters')
        if not (phrase[0] <= color[0] and color[1] <= phrase[1]):
            raise BadValue(f'{self.job_id}: the {side} phrase {phrase} does not hold its '
                           f'colour {color}')


@dataclass(frozen=True, slots=True)
class EditResult:
    """Edited image of one request.

    Args:
        job_id: The request's.
        image: RGB, of the request's image size.
        mask: bool (H, W), true at the pixels the editor means to have edited; ``None`` if it
            cannot tell.
        unet_evals: Forward passes of the denoiser spent on this image (a batch row counts one).
        extras: Anything worth keeping in the manifest (JSON types only).
        evidence: What is known of the edited image; ``None`` if nobody looked.
    """

    job_id: str
    image: Image.Image
    mask: np.ndarray | None = None
    unet_evals: int = 0
    extras: dict[str, Any] = field(default_factory=dict)
    evidence: EditEvidence | None = None


class BaseEditor(ABC):
    """Editor of images on request; deterministic given the requests' seeds."""

    @abstractmethod
    def edit(self, requests: Sequence[EditRequest]) -> list[EditResult]:
        """Edit every image; one result a request, in order."""

    @property
    @abstractmethod
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the output (JSON types), for the manifest's digest.

        Batch size, device and shard stay out: they may change when a run is resumed.
        """


class BaseUpscaler(ABC):
    """Upscaler of surveillance crops to the size an editor works at."""

    #: Forward passes of the denoiser for one image.
    evals_per_image = 0

    @abstractmethod
    def upscale(self, images: Sequence[Image.Image], seeds: Sequence[int]) -> list[Image.Image]:
        """Enlarge every image; one RGB image for each image and its seed, in order."""

    @property
    @abstractmethod
    def digest_fields(self) -> dict[str, Any]:
        """Settings that determine the output (JSON types), for the manifest's digest."""
