"""Refinements: a second look at the scores of a first stage."""

from .base import Refinement
from .k_reciprocal import KReciprocal
from .query_expansion import QueryExpansion, expand_queries
from .reranker import Reranker, SecondStage, check_share, rerank_scores

__all__ = ['KReciprocal', 'QueryExpansion', 'Refinement', 'Reranker', 'SecondStage',
           'check_share', 'expand_queries', 'rerank_scores']
