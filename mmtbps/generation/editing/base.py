"""Requests and results of edits: the contract between planner, editors and gates."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue

from ..color.votes import band_of
from ..diffusion.tokens import Span
from ..evidence.base import EditEvidence
from .edit_kinds import find_kind

__all__ = ['BaseEditor', 'BaseUpscaler', 'EditRequest', 'EditResult', 'Span']


@dataclass(frozen=True, slots=True)
class EditRequest:
    """Change of one image: a new colour of a garment, or another kind of edit.

    All spans are ``[start, end)`` in characters.

    Args:
        job_id: Identity of the job; names the output and seeds everything random.
        image: The person, RGB.
        source_captions: Every caption of the image, as people wrote it.
        target_captions: The same captions after the edit, in the same order.
        caption_index: Which caption drives the edit; the four spans belong to this one.
        source_span: The old colour words in the source caption (``'dark blue'``). Spans and colours
            are ``None`` for all kinds but ``'color'``.
        target_span: The new colour words in the target caption (``'green'``).
        phrase_span: Colour and garment in the source caption (``'dark blue shirt'``).
        target_phrase_span: Colour and garment in the target caption (``'green shirt'``).
        old_color: Basic name of the old colour (``'blue'``).
        new_color: Basic name of the new colour.
        noun: The garment, as the lexicon writes it; empty if the edit is of no garment.
        region: Where it is worn: ``'upper'``, ``'lower'`` or ``'full'``; empty without a garment.
        seed: For every random draw of this job.
        evidence: What is known of the image apart from its captions; ``None`` if nobody looked.
        kind: Name in `EDIT_KINDS`.
        instruction: Sentence that tells an editor what to change. An edit of colour has none: the
            editor words it from noun and colours.

    Raises:
        BadValue: Naming the job, if a span is empty or outside its caption, the phrase does not
            hold its colour, the caption lists disagree, the kind is unknown, or what its kind
            needs is missing.

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
    source_span: Span | None
    target_span: Span | None
    phrase_span: Span | None
    target_phrase_span: Span | None
    old_color: str | None
    new_color: str | None
    noun: str
    region: str
    seed: int
    evidence: EditEvidence | None = None
    kind: str = 'color'
    instruction: str = ''

    def __post_init__(self) -> None:
        if len(self.source_captions) != len(self.target_captions):
            raise BadValue(f'{self.job_id}: {len(self.source_captions)} source captions, but '
                           f'{len(self.target_captions)} target captions')
        if not 0 <= self.caption_index < len(self.source_captions):
            raise BadValue(f'{self.job_id}: caption_index {self.caption_index} is not among '
                           f'{len(self.source_captions)} captions')
        kind = find_kind(self.kind)
        if self.kind == 'color':
            self._check_spans('source', self.source_caption, self.source_span, self.phrase_span)
            self._check_spans('target', self.target_caption, self.target_span,
                              self.target_phrase_span)
        elif not self.instruction.strip():
            raise BadValue(f'{self.job_id}: an edit of kind {self.kind!r} needs an instruction')
        elif not kind.changes_person and self.source_captions != self.target_captions:
            raise BadValue(f'{self.job_id}: an edit of kind {self.kind!r} changes nothing that '
                           'is worn, so the captions stay as they are')

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

    def _check_spans(self, side: str, caption: str, color: Span | None, phrase: Span | None
                     ) -> None:
        if color is None or phrase is None or not self.new_color or not self.old_color:
            raise BadValue(f'{self.job_id}: an edit of colour needs colours and their spans')
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
    """Editor of images on request; deterministic given the requests' seeds.

    Attributes:
        kinds: Names in `EDIT_KINDS` of the edits that it can make.
    """

    kinds: frozenset[str] = frozenset({'color'})

    @classmethod
    def refuse_other_kinds(cls, requests: Iterable[EditRequest]) -> None:
        """Refuse requests that this editor does not serve.

        Raises:
            BadValue: Naming the first of them and the kinds that it serves.
        """
        for request in requests:
            if request.kind not in cls.kinds:
                raise BadValue(f'{request.job_id}: {cls.__name__} makes edits of kind '
                               f'{", ".join(sorted(cls.kinds))}, not {request.kind}; '
                               'InstructEditor makes edits of all kinds')

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
