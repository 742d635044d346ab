"""Ranking measures of text-based person search."""

import warnings

from .measures import random_ranks
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

__all__ = ['KReciprocal', 'QueryExpansion', 'RankKMetric', 'Refinement', 'Reranker', 'SecondStage',
           'check_share', 'evaluate_ranking', 'evaluate_streamed', 'expand_queries',
           'open_features', 'random_ranks', 'rerank_scores']


def __getattr__(name: str):
    if name == 'chance_ranks':
        warnings.warn('mmtbps.evaluation.chance_ranks is now random_ranks', DeprecationWarning,
                      stacklevel=2)
        return random_ranks
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
