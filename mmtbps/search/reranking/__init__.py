"""Second stage of a search: a model that sees each picture together with the sentence."""

from .hit_reranker import HitReranker, Reranked
from .pair_matcher import PairMatcher

__all__ = ['HitReranker', 'PairMatcher', 'Reranked']
