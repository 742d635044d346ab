"""Second stage over the best entries of a first one, as of a cross-encoder."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from mmtbps.errors import BadValue, MissingKey
from mmtbps.quantities import is_count, is_finite
from mmtbps.registry import METRICS, TASK_UTILS

from .base import Refinement

__all__ = ['Reranker', 'SecondStage', 'check_share', 'rerank_scores', 'whole_matrix_weight']

SCALINGS = ('fixed', 'whole matrix')


class SecondStage(Protocol):
    """Judge of pairs of a sentence and a picture, such as a cross-encoder."""

    def match(self, texts: Sequence[str], images: Sequence[str], places: Tensor) -> Tensor:
        """Compute how well sentences and pictures match.

        Args:
            texts: Q sentences.
            images: paths of the N pictures of the gallery.
            places: ``(Q, k)`` the pictures to hold each sentence against.

        Returns:
            ``(Q, k)`` float32, higher is better.
        """

    def __str__(self) -> str:
        """Name the model, for the protocol line."""


def check_share(k: int, weight: float) -> None:
    """Refuse what says nothing on how far the word of a second stage goes.

    Args:
        k: entries that it sees of each query.
        weight: share of the first stage's score.

    Raises:
        BadValue: ``k`` is no whole number from 1, or ``weight`` no finite number.

    Example:
        >>> check_share(50, float('nan'))
        Traceback (most recent call last):
        mmtbps.errors.BadValue: a second stage needs a whole k from 1 and a finite weight of the \
first, got k=50, weight=nan
    """
    if not (is_count(k) and is_finite(weight)):
        raise BadValue('a second stage needs a whole k from 1 and a finite weight of the first, '
                       f'got k={k!r}, weight={weight!r}')


def rerank_scores(scores: Tensor, places: Tensor, matches: Tensor, weight: float = 0.) -> Tensor:
    """Order some entries anew, in front of all others.

    They are ordered by ``matches + weight * scores``, those of equal sum by ``scores`` and then by
    place. The others keep their scores, which have to be at most 1.

    Args:
        scores: ``(Q, N)`` of the first stage.
        places: ``(Q, k)`` entries that the second stage has seen.
        matches: ``(Q, k)`` its scores.
        weight: share of the first stage's score.

    Returns:
        ``(Q, N)``, above 1 for the entries ordered anew. Entries of score ``-inf`` keep it.

    Example:
        >>> rerank_scores(torch.tensor([[.9, .8, .1]]), torch.tensor([[0, 1]]),
        ...               torch.tensor([[-1., 2.]]))
        tensor([[1.5000, 2.0000, 0.1000]])
    """
    first = scores.gather(1, places)
    mixed = (matches + weight * first).masked_fill(first == -torch.inf, -torch.inf)
    order = places.argsort(dim=1)
    for key in (first, mixed):  # the last key counts most, for each sort keeps what it finds
        order = order.gather(1, key.gather(1, order).argsort(dim=1, descending=True, stable=True))
    count = places.shape[1]
    ladder = 1 + torch.arange(count, 0, -1, device=scores.device, dtype=scores.dtype) / count
    new = torch.empty_like(first).scatter_(1, order, ladder.expand_as(first))
    return scores.scatter(1, places, new.masked_fill(first == -torch.inf, -torch.inf))


def whole_matrix_weight(scores: Tensor, matches: Tensor, weight: float = .002) -> float:
    """Compute the weight that APTM's scaling of whole matrices comes to.

    APTM (https://arxiv.org/abs/2306.02898) brings all matches of a test set to 0 to 1, and all
    cosines, and adds ``weight`` of these. So the share of the cosine depends on all queries: the
    same query may be answered otherwise beside others.

    Args:
        scores: all ``(Q, N)`` of the first stage.
        matches: ``(Q, k)`` of the second.
        weight: of the scaled cosines.

    Example:
        >>> whole_matrix_weight(torch.tensor([[.5, 0.]]), torch.tensor([[-2., 3.]]), .1)
        1.0
    """
    spread = scores.max() - scores.min()
    return float(weight * (matches.max() - matches.min()) / spread) if spread > 0 else 0.


@METRICS.register_module()
class Reranker(Refinement):
    """Second stage over the best ``k`` entries of any first stage.

    The rest of the gallery stays behind them in the order of the first stage. Needs the sentences
    and the paths of the pictures, which `RankKMetric` hands on; so only sentences can be asked.

    Args:
        stage: a `SecondStage`, or its settings.
        k: entries that it sees of each query.
        weight: share of the first stage's score, see `rerank_scores`: 0 for RaSa and GTR+, 1 for
            ALBEF and BLIP.
        scaling: ``'fixed'``, or ``'whole matrix'`` for APTM's scores, where ``weight`` is .002 and
            the answer to a query depends on the others, see `whole_matrix_weight`.

    Raises:
        BadValue: ``k`` is no whole number from 1, ``weight`` not finite, or ``scaling`` unknown.
        MissingKey: sentences and paths did not come.
    """

    def __init__(self, stage: SecondStage | dict, k: int = 128, weight: float = 0.,
                 scaling: str = 'fixed') -> None:
        check_share(k, weight)
        if scaling not in SCALINGS:
            raise BadValue(f'reranking needs a scaling of {SCALINGS}, got {scaling!r}')
        self.stage = TASK_UTILS.build(stage) if isinstance(stage, dict) else stage
        self.k, self.weight, self.scaling = k, weight, scaling
        self._texts: Sequence[str] = ()
        self._images: Sequence[str] = ()
        self._share = weight
        self._seen: tuple[Tensor, Tensor] | None = None

    def ask(self, texts: Sequence[str], images: Sequence[str]) -> None:
        """Take the sentences and the paths of the gallery, in the order of their features."""
        self._texts, self._images, self._seen = texts, images, None

    def prepare(self, queries: Tensor, gallery: Tensor) -> None:
        if (len(self._texts), len(self._images)) != (len(queries), len(gallery)):
            raise MissingKey(f'{self} needs the sentence of each of the {len(queries)} queries and '
                             f'the path of each of the {len(gallery)} pictures, got '
                             f'{len(self._texts)} and {len(self._images)}')
        if self.scaling == 'whole matrix':
            scores = queries @ gallery.T
            # Pairs are what costs time: the same ones are not judged twice.
            self._seen = self._match(scores, slice(0, len(queries)))
            self._share = whole_matrix_weight(scores, self._seen[1], self.weight)

    def __call__(self, queries: Tensor, gallery: Tensor, scores: Tensor, rows: slice) -> Tensor:
        places, matches = self._match(scores, rows)
        return rerank_scores(scores, places, matches, self._share)

    def _match(self, scores: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """Let the second stage see the best entries; equal scores by place."""
        places = scores.sort(dim=1, descending=True, stable=True).indices[:, :self.k]
        if self._seen is not None and torch.equal(places, self._seen[0][rows]):
            return places, self._seen[1][rows]
        matches = self.stage.match(self._texts[rows], self._images, places.cpu())
        if not matches.isfinite().all():
            raise BadValue(f'{self.stage} gave scores that are no numbers')
        return places, matches.to(scores)

    def __str__(self) -> str:
        weight = f'{self.weight:g}' if self.scaling == 'fixed' else (
            f'{self.weight:g} of whole matrices')
        return f'{self.stage} over the first {self.k} (weight of the first stage {weight})'
