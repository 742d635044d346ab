"""Options of a second stage: a model that sees the first pictures together with the sentence."""

import argparse
from typing import TYPE_CHECKING, Any

from mmtbps.errors import BadValue

if TYPE_CHECKING:
    from mmtbps.search.reranking import HitReranker

__all__ = ['add_rerank_options', 'check_rerank', 'load_reranker', 'rerank_settings']


def add_rerank_options(parser: argparse.ArgumentParser, k: int) -> None:
    """Add the model, and how far its word goes.

    Args:
        parser: of the command.
        k: pictures that it sees, by default.
    """
    parser.add_argument('--rerank', metavar='MODEL', help='folder of a cross-encoder that sees the '
                        'first pictures together with the sentence and orders them anew')
    parser.add_argument('--rerank-k', type=int, metavar='K', help='so many pictures of each '
                        f'sentence (default: {k})')
    parser.add_argument('--rerank-weight', type=float, metavar='WEIGHT', help='share of the first '
                        'score beside that of --rerank (default: 0)')
    parser.set_defaults(rerank_default=k)


def check_rerank(args: argparse.Namespace) -> None:
    """Refuse options of a second stage that make no sense, before a model is loaded.

    Raises:
        BadValue: a number makes none, or no model is named.
    """
    from mmtbps.evaluation import check_share
    given = [name for name in ('rerank_k', 'rerank_weight') if getattr(args, name) is not None]
    if given and args.rerank is None:
        raise BadValue(f'--{given[0].replace("_", "-")} says how far the word of --rerank MODEL '
                       'goes; name both')
    check_share(**_share(args))


def load_reranker(args: argparse.Namespace) -> 'HitReranker | None':
    """Load the second stage of a search, if one is named."""
    if args.rerank is None:
        return None
    from mmtbps.search.reranking import HitReranker, PairMatcher
    return HitReranker(PairMatcher(args.rerank, device=args.device), **_share(args))


def rerank_settings(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the settings of the second stage of an evaluation, if one is named.

    Raises:
        BadValue: as `check_rerank`.
    """
    check_rerank(args)
    if args.rerank is None:
        return []
    # By their names, so that the config of the run can be written to a file.
    stage = dict(type='mmtbps.search.reranking.pair_matcher.PairMatcher', model=args.rerank)
    return [dict(type='mmtbps.Reranker', stage=stage, **_share(args))]


def _share(args: argparse.Namespace) -> dict[str, Any]:
    return dict(k=args.rerank_default if args.rerank_k is None else args.rerank_k,
                weight=0. if args.rerank_weight is None else args.rerank_weight)
