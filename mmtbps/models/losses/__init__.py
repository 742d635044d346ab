"""Losses: plain functions of feature tensors."""

from .gather import GatheredPairs, average_value, gather, gather_with_grad, sum_with_grad
from .info_nce import info_nce
from .scores import ScoreRows, score_rows

__all__ = ['GatheredPairs', 'ScoreRows', 'average_value', 'gather', 'gather_with_grad', 'info_nce',
           'score_rows', 'sum_with_grad']
