"""Metrics and refinements of this part in their registry: they are registered when it is imported.

The package itself imports none of them, so that a search without torch may use its formulas.
"""

from .presence.open_set_metric import OpenSetMetric
from .rank_metric import RankKMetric
from .refinement import KReciprocal, QueryExpansion, Reranker

__all__ = ['KReciprocal', 'OpenSetMetric', 'QueryExpansion', 'RankKMetric', 'Reranker']
