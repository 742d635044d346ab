"""Ranking measures of text-based person search."""

from .chance import chance_ranks
from .rank_metric import RankKMetric
from .ranking import evaluate_ranking
from .streaming import evaluate_streamed, open_features

__all__ = ['RankKMetric', 'chance_ranks', 'evaluate_ranking', 'evaluate_streamed',
           'open_features']
