"""Average query expansion: the best entries of a gallery join the query."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.quantities import is_count, is_finite
from mmtbps.registry import METRICS

from .base import Refinement

__all__ = ['QueryExpansion', 'expand_queries']


def expand_queries(queries: Tensor, gallery: Tensor, scores: Tensor, k: int = 5,
                   alpha: float = 0.) -> Tensor:
    r"""Add to each query the ``k`` entries that score best, :math:`q + \sum_i s_i^\alpha g_i`.

    With ``alpha`` 0 it is the average query expansion of Total Recall (Chum et al., ICCV 2007),
    else the weighted one of https://arxiv.org/abs/1711.02512, section 3.4, where a score below 0
    counts as 0. Entries whose score is ``-inf`` never join.

    Args:
        queries: ``(Q, D)``, of length 1.
        gallery: ``(N, D)``, of length 1.
        scores: ``(Q, N)`` cosines; ``-inf`` is out of the ranking.
        k: entries that join; all where the gallery has fewer.
        alpha: power of the scores.

    Returns:
        ``(Q, D)``, of length 1.

    Example:
        >>> gallery = torch.tensor([[0., 1.], [-1., 0.]])
        >>> query = torch.tensor([[1., 0.]])
        >>> expand_queries(query, gallery, query @ gallery.T, k=1)
        tensor([[0.7071, 0.7071]])
    """
    best, places = scores.topk(min(k, scores.shape[1]), dim=1)
    weights = best.clamp(min=0) ** alpha
    weights = weights.masked_fill(best == -torch.inf, 0)
    return F.normalize(queries + torch.einsum('qk,qkd->qd', weights, gallery[places]), dim=1)


@METRICS.register_module()
class QueryExpansion(Refinement):
    """Ranking by queries to which the best entries of the gallery were added.

    Args:
        k: entries that join a query.
        alpha: power of their scores as weights, see `expand_queries`.

    Raises:
        BadValue: ``k`` is no whole number from 1, or ``alpha`` no number from 0.

    Example:
        >>> str(QueryExpansion(k=3))
        'query expansion (k 3, alpha 0)'
    """

    def __init__(self, k: int = 5, alpha: float = 0.) -> None:
        if not is_count(k) or not is_finite(alpha) or alpha < 0:
            raise BadValue('query expansion needs a whole k from 1 and an alpha from 0, got '
                           f'k={k!r}, alpha={alpha!r}')
        self.k, self.alpha = k, alpha

    def __call__(self, queries: Tensor, gallery: Tensor, scores: Tensor, rows: slice) -> Tensor:
        expanded = expand_queries(queries, gallery, scores, self.k, self.alpha)
        return (expanded @ gallery.T).masked_fill_(scores == -torch.inf, -torch.inf)

    def __str__(self) -> str:
        return f'query expansion (k {self.k}, alpha {self.alpha:g})'
