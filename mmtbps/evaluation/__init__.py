"""Ranking measures of text-based person search."""

from .chance import chance_ranks
from .rank_metric import RankKMetric
from .ranking import evaluate_ranking

__all__ = ['RankKMetric', 'chance_ranks', 'evaluate_ranking']
