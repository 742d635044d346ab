"""Evidence of several providers, collected once a picture."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from .base import BaseEvidenceProvider, EditEvidence, merge_evidence
from .cache import EvidenceCache, hash_pixels

__all__ = ['EvidenceCollector']


@TASK_UTILS.register_module()
class EvidenceCollector(BaseEvidenceProvider):
    """Provider that asks others in turn, and none of them twice about one picture.

    Args:
        providers: Providers, or configs of them in ``TASK_UTILS``; of two that fill one field, the
            later one counts.
        cache: Folder in which evidence is kept; runs and processes may share it. ``None`` keeps
            nothing.
        batch_size: Pictures that a provider is handed at once.

    Raises:
        BadValue: If ``batch_size`` is below 1.

    >>> class Frame(BaseEvidenceProvider):
    ...     provides, digest_fields = ('box',), dict(type='Frame')
    ...     def look(self, images):
    ...         return [EditEvidence(box=(0, 0, *image.size)) for image in images]
    >>> EvidenceCollector([Frame()]).look([Image.new('RGB', (4, 8))])[0].box
    (0, 0, 4, 8)
    """

    def __init__(self, providers: Sequence[BaseEvidenceProvider | dict],
                 cache: str | os.PathLike | None = None, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise BadValue(f'batch_size must be at least 1, got {batch_size}')
        self.providers: list[BaseEvidenceProvider] = [
            TASK_UTILS.build(provider) if isinstance(provider, dict) else provider
            for provider in providers]
        self.cache = None if cache is None else EvidenceCache(cache)
        self.batch_size = batch_size

    @property
    def provides(self) -> tuple[str, ...]:
        """Fields that at least one provider fills, in the order of `EditEvidence`."""
        return tuple(name for name in EditEvidence.__dataclass_fields__
                     if any(name in provider.provides for provider in self.providers))

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Settings of all providers, in their order; the place of the cache changes nothing."""
        return dict(type=type(self).__name__,
                    providers=[provider.digest_fields for provider in self.providers])

    def look(self, images: Sequence[Image.Image]) -> list[EditEvidence]:
        """Find what each RGB picture shows, from the cache where it is there.

        Raises:
            RuntimeError: If a provider gives other than one piece of evidence a picture, of its
                size.
        """
        names = [hash_pixels(image) for image in images]
        pictures = dict(zip(names, images, strict=True))
        pieces = [self._ask(provider, pictures) for provider in self.providers]
        return [merge_evidence(piece[name] for piece in pieces) for name in names]

    def _ask(self, provider: BaseEvidenceProvider, pictures: Mapping[str, Image.Image]
             ) -> dict[str, EditEvidence]:
        """Return a provider's evidence of each picture, by its name."""
        settings, found = provider.digest_fields, {}
        for name, image in pictures.items() if self.cache else ():
            known = self.cache.find(name, settings)
            if known is not None and known.fits(image.size):
                found[name] = known
        unseen = [name for name in pictures if name not in found]
        for start in range(0, len(unseen), self.batch_size):
            batch = unseen[start:start + self.batch_size]
            for name, evidence in zip(batch, _look(provider, [pictures[name] for name in batch]),
                                      strict=True):
                found[name] = evidence
                if self.cache:
                    self.cache.keep(name, settings, evidence)
        return found


def _look(provider: BaseEvidenceProvider, images: list[Image.Image]) -> list[EditEvidence]:
    pieces = list(provider.look(images))
    if len(pieces) != len(images) or not all(
            piece.fits(image.size) for piece, image in zip(pieces, images, strict=True)):
        raise RuntimeError(f'{type(provider).__name__} must give one piece of evidence a picture, '
                           'of its size, in order')
    return pieces
