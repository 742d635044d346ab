"""Ranking measures of text-based person search. A name is imported when it is first asked for."""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .measures import random_ranks
    from .presence.open_set_metric import OpenSetMetric
    from .rank_metric import RankKMetric
    from .ranking import evaluate_ranking
    from .refinement import (
        KReciprocal,
        QueryExpansion,
        Refinement,
        Reranker,
        SecondStage,
        check_share,
        expand_queries,
        rerank_scores,
    )
    from .streaming import evaluate_streamed, open_features

_HOMES = dict(
    OpenSetMetric='presence.open_set_metric', RankKMetric='rank_metric',
    evaluate_ranking='ranking', evaluate_streamed='streaming', open_features='streaming',
    random_ranks='measures') | dict.fromkeys(
        ('KReciprocal', 'QueryExpansion', 'Refinement', 'Reranker', 'SecondStage', 'check_share',
         'expand_queries', 'rerank_scores'), 'refinement')
__all__ = ['KReciprocal', 'OpenSetMetric', 'QueryExpansion', 'RankKMetric', 'Refinement',
           'Reranker', 'SecondStage', 'check_share', 'evaluate_ranking', 'evaluate_streamed',
           'expand_queries',
           'open_features', 'random_ranks', 'rerank_scores']


def __getattr__(name: str) -> object:
    if name == 'chance_ranks':
        warnings.warn('mmtbps.evaluation.chance_ranks is now random_ranks', DeprecationWarning,
                      stacklevel=2)
        name = 'random_ranks'
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_HOMES[name]}', __name__), name)
