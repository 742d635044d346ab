"""Refinements: a second look at the scores of a first stage."""

from .base import Refinement
from .k_reciprocal import KReciprocal
from .query_expansion import QueryExpansion, expand_queries
from .reranker import Reranker, SecondStage, rerank_scores

__all__ = ['KReciprocal', 'QueryExpansion', 'Refinement', 'Reranker', 'SecondStage',
           'expand_queries', 'rerank_scores']
