"""Find the people that a sentence describes, or a picture, or both.

Examples:
    mmtbps query people.lance "a woman in a red coat with a black backpack"
    mmtbps query people.lance "a man in blue" --where camera=c1,c2 --out answer.html
    mmtbps query people.lance "with a backpack" --image crop.jpg --image-weight 0.7
    mmtbps query people.lance "a man in blue" --topk 50 --json > answer.json
    mmtbps query people.lance "a man in blue" --min-probability 0.5
    mmtbps query people.lance "a man in blue" --rerank aptm-model --rerank-k 100
    mmtbps query people.lance "a woman with a backpack" --must "red coat" --must "no hat"
    mmtbps query people.lance "a man in blue" --like ID --unlike ID --unlike ID
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmtbps.errors import printable
from mmtbps.search.galleries.filters import parse_where

from .options.gallery import (
    add_gallery,
    add_gallery_model,
    cure_of_mismatch,
    find_images,
    open_searcher,
)
from .options.query import (
    add_query_options,
    check_probability,
    hint_at_quotes,
    hint_at_tracks,
    hint_at_unknown_probability,
    hints_at_left_out,
    picture_options,
    print_unknown_values,
    take_sentences,
    wish_options,
)
from .options.rerank import check_rerank
from .wording.command_names import CommandParser
from .wording.json_answers import answer
from .wording.printing import word_result

if TYPE_CHECKING:
    from mmtbps.search.results import SearchResult

__all__ = ['add_arguments', 'parse', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery, the question, and the model."""
    add_gallery(parser)
    add_query_options(parser)
    add_gallery_model(parser, images=True)


def parse(parser: CommandParser, words: Sequence[str]) -> argparse.Namespace:
    """Read the command line, whose sentences may stand before, between and behind its options."""
    args, more = parser.parse_known_args(words)
    if strange := take_sentences(parser, args, more):
        parser.error(f'unrecognized arguments: {shlex.join(strange)}')
    return args


def run(args: argparse.Namespace) -> None:
    """Ask, and print or write the answers."""
    with cure_of_mismatch(args):
        query(args)


def query(args: argparse.Namespace) -> None:
    """Ask the gallery.

    Raises:
        GalleryMismatch: It is of another model.
    """
    from mmtbps.search.answers import Wishes, read_phrase_bounds
    from mmtbps.search.media.images import read_image
    from mmtbps.search.result_files import check_target, write_results
    if args.out is not None:
        check_target(args.out)
    check_probability(args)
    where, wishes = parse_where(args.where), wish_options(args)
    Wishes.of(**wishes)  # before a model is loaded: can they be read?
    bounds = {} if args.phrase_bounds is None else read_phrase_bounds(args.phrase_bounds)
    if args.image is not None:
        read_image(args.image)  # before a model is loaded: can it be read?
    asked = dict(topk=args.topk, where=where or None)
    if args.image is not None and args.rerank is not None:
        check_rerank(args)
        args.rerank = args.rerank_k = args.rerank_weight = None
        print('a search by a picture has one stage, so --rerank sees nothing of it',
              file=sys.stderr)
    searcher = open_searcher(args, **asked)
    searcher.checker.bounds = bounds
    asked.update(group=args.group, **wishes)
    results = searcher(args.text, **asked) if args.image is None else searcher.search_image(
        **picture_options(args), **asked)
    if args.min_probability is not None:
        found, results = results, [result.at_least(args.min_probability) for result in results]
        for line in hints_at_left_out(found, results, args.min_probability):
            print(line, file=sys.stderr)
    for result in results:
        for line in notes_of(result):
            print(printable(line), file=sys.stderr)
    if where and not any(result.hits for result in results):
        print_unknown_values(searcher.gallery, where)
    for hint in filter(None, (hint_at_quotes(args.text), hint_at_tracks(results, args.group),
                              hint_at_unknown_probability(results, args.min_probability))):
        print(printable(hint), file=sys.stderr)
    if args.json:
        answer([result.to_json() for result in results])
    elif args.out is None:
        print('\n\n'.join(map(word_result, results)))
    if args.out is not None:
        print(write_results(results, args.out, find_images(args)), file=sys.stderr)


def notes_of(result: 'SearchResult') -> list[str]:
    """Word what was not read or checked of a query, and what had a say in its order."""
    from mmtbps.search.presentation import (
        describe_lost,
        describe_marking,
        describe_reading,
        describe_weighing,
    )
    return [*describe_reading(result.unknown, result.read, result.unread),
            *describe_lost(result.lost), *describe_marking(result.unchecked, result.marked_by),
            *describe_weighing(result.weighed)]
