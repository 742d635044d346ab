"""Options of a second stage: a model that sees the first pictures together with the sentence."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmtbps.search.reranking import HitReranker

__all__ = ['add_rerank_options', 'load_reranker', 'rerank_settings']


def add_rerank_options(parser: argparse.ArgumentParser, k: int) -> None:
    """Add the model, and how far its word goes.

    Args:
        parser: of the command.
        k: pictures that it sees, by default.
    """
    parser.add_argument('--rerank', metavar='MODEL', help='folder of a cross-encoder that sees the '
                        'first pictures together with the sentence and orders them anew')
    parser.add_argument('--rerank-k', type=int, default=k, metavar='K', help='so many pictures of '
                        'each sentence (default: %(default)s)')
    parser.add_argument('--rerank-weight', type=float, default=0., metavar='WEIGHT',
                        help='share of the first score beside that of --rerank (default: '
                        '%(default)s)')


def load_reranker(args: argparse.Namespace) -> 'HitReranker | None':
    """Load the second stage of a search, if one is named."""
    if args.rerank is None:
        return None
    from mmtbps.search.reranking import HitReranker, PairMatcher
    return HitReranker(PairMatcher(args.rerank, device=args.device), args.rerank_k,
                       args.rerank_weight)


def rerank_settings(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the settings of the second stage of an evaluation, if one is named."""
    if args.rerank is None:
        return []
    # By their names, so that the config of the run can be written to a file.
    stage = dict(type='mmtbps.search.reranking.pair_matcher.PairMatcher', model=args.rerank)
    return [dict(type='mmtbps.Reranker', stage=stage, k=args.rerank_k, weight=args.rerank_weight)]
