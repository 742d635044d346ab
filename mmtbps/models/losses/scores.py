"""Cosines of the pairs of this process with all candidates: the start of most losses."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .gather import GatheredPairs

__all__ = ['ScoreRows', 'mean_of_pairs', 'score_rows', 'unit']


class ScoreRows(NamedTuple):
    """Scores of N pairs with M candidates, and who belongs together.

    Args:
        image_to_text: ``(N, M)``, each image with all captions.
        text_to_image: ``(N, M)``, each caption with all images.
        same: ``(N, M)`` bool, True where both are of one person.
        own: ``(N,)`` column of each pair's own partner.
    """

    image_to_text: Tensor
    text_to_image: Tensor
    same: Tensor
    own: Tensor

    @property
    def directions(self) -> tuple[Tensor, Tensor]:
        """The two matrices of scores."""
        return self.image_to_text, self.text_to_image

    @property
    def targets(self) -> Tensor:
        """Even distribution over the candidates of the same person, ``(N, M)``."""
        same = self.same.to(self.image_to_text.dtype)
        return same / same.sum(1, keepdim=True)


def score_rows(image: Tensor, text: Tensor, person_ids: Tensor | None = None,
               gathered: GatheredPairs | None = None, normalize_rows: bool = True) -> ScoreRows:
    """Compute the cosines of each image with all captions and of each caption with all images.

    Args:
        image: ``(N, D)``, any scale. Half precision is computed in float32.
        text: ``(N, D)``, row i belonging to image i.
        person_ids: ``(N,)``; ``None`` makes every pair a person of its own.
        gathered: the joined batch of all processes; default the N pairs alone.
        normalize_rows: ``False`` leaves the rows as they are and normalises the candidates alone.

    Returns:
        Scores ``(N, M)`` of both directions.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> rows = score_rows(torch.eye(2), torch.tensor([[3., 4.], [0., 1.]]), torch.arange(2))
        >>> [[round(score, 1) for score in row] for row in rows.image_to_text.tolist()]
        [[0.6, 0.0], [0.8, 1.0]]
    """
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(f'image and text must be (N, D) pairs, got {tuple(image.shape)} and '
                         f'{tuple(text.shape)}')
    if person_ids is not None and person_ids.shape != image.shape[:1]:
        raise ValueError(f'person_ids must be ({len(image)},), got {tuple(person_ids.shape)}')
    everyone = gathered or GatheredPairs(image, text, person_ids, 0)
    own = torch.arange(everyone.first_row, everyone.first_row + len(image), device=image.device)
    with torch.autocast(image.device.type, enabled=False):
        rows = (unit(image), unit(text)) if normalize_rows else (full(image), full(text))
        forth, back = rows[0] @ unit(everyone.text).T, rows[1] @ unit(everyone.image).T
    same = (F.one_hot(own, forth.shape[1]).bool() if person_ids is None
            else person_ids[:, None] == everyone.person_ids[None])
    return ScoreRows(forth, back, same, own)


def mean_of_pairs(values: Tensor, pair_weights: Tensor | None = None) -> Tensor:
    """Average ``(N,)`` losses of pairs, each times its weight.

    Args:
        values: a loss for each pair.
        pair_weights: ``(N,)``; the mean is still over N, so that half of the weight is half of a
            pair. ``None`` for 1 each.

    Raises:
        ValueError: there is not one weight for each pair.

    Example:
        >>> mean_of_pairs(torch.tensor([2., 4.]), torch.tensor([1., .5])).item()
        2.0
    """
    if pair_weights is None:
        return values.mean()
    if pair_weights.shape != values.shape:
        raise ValueError(f'pair_weights must be ({len(values)},), got {tuple(pair_weights.shape)}')
    return (values * pair_weights).mean()


def full(features: Tensor) -> Tensor:
    """Return features in float32 if they are of half precision."""
    return features.float() if features.dtype in (torch.float16, torch.bfloat16) else features


def unit(features: Tensor) -> Tensor:
    """Normalise ``(..., D)`` features, half precision in float32."""
    return F.normalize(full(features), dim=-1)
