"""Options of a query: sentences, a picture, and the share of each."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtbps.errors import BadValue, printable

from ..wording.json_answers import add_json
from .addresses import path_or_address
from .index import word_similar

if TYPE_CHECKING:
    from mmtbps.search.galleries import BaseGallery
    from mmtbps.search.results import SearchResult

__all__ = ['add_query_options', 'add_wishes', 'check_probability', 'hint_at_quotes',
           'hint_at_tracks', 'hint_at_unknown_probability', 'hints_at_left_out', 'picture_options',
           'print_unknown_values', 'take_sentences', 'wish_options']


def add_query_options(parser: argparse.ArgumentParser) -> None:
    """Add the sentences and the picture of a query, which people count, and what is written."""
    parser.add_argument('text', nargs='*', help='one or more sentences, each in quotes')
    parser.add_argument('--image', type=path_or_address, metavar='FILE', help='a crop of the '
                        'person, instead of sentences or together with each of them')
    parser.add_argument('--image-weight', type=float, metavar='WEIGHT', help='share of the picture '
                        'beside a sentence, 0 to 1 (default: 0.5)')
    add_wishes(parser)
    parser.add_argument('--topk', type=int, default=10, help='default: %(default)s')
    parser.add_argument('--where', nargs='+', action='extend', metavar='KEY=VALUE', help='only '
                        'these, such as camera=c1,c2 time=2024-01-01..2024-01-31 coat=red')
    parser.add_argument('--group', choices=('track', 'photograph'), help='one hit for all of one '
                        'track or photograph; identical pictures are one in any case')
    parser.add_argument('--min-probability', type=float, metavar='P', help='leave out hits '
                        'that are the person with less, 0 to 1')
    parser.add_argument('--out', type=Path, help='write .html, .png or .json')
    add_json(parser)


def add_wishes(parser: argparse.ArgumentParser) -> None:
    """Add what must hold, and marks of right and wrong."""
    parser.add_argument('--must', action='append', metavar='PHRASE', help='order by it, such as '
                        '"red coat" or "no hat"; may come several times')
    parser.add_argument('--weigh-phrases', action='store_true', help='order by the sentence and by '
                        'each of its phrases, such as "red coat", against its opposites')
    parser.add_argument('--marks', action='store_true', help='check each phrase of the sentences '
                        'on each hit: yes, no or unsure (--must does so, too)')
    parser.add_argument('--phrase-bounds', type=Path, metavar='FILE', help='bounds of the marks '
                        'that were calibrated; otherwise they need no labels and say so')
    parser.add_argument('--like', action='append', metavar='ID', help='entry that looks right; may '
                        'come several times')
    parser.add_argument('--unlike', action='append', metavar='ID', help='entry that does not, and '
                        'is left out; may come several times')


def wish_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the wishes of a command line, without those that were not named."""
    wishes = dict(must=args.must, like=args.like, unlike=args.unlike, mark=args.marks,
                  weigh=args.weigh_phrases)
    return {name: value for name, value in wishes.items() if value}


def check_probability(args: argparse.Namespace) -> None:
    """Check the probability that hits are wanted from, before a model is loaded.

    Raises:
        BadValue: It is none.
    """
    wanted = args.min_probability
    if wanted is not None and not 0 <= wanted <= 1:
        raise BadValue(f'--min-probability is from 0 to 1, got {wanted:g}')


def take_sentences(parser: argparse.ArgumentParser, args: argparse.Namespace,
                   more: Sequence[str]) -> list[str]:
    """Collect the sentences of a query, which may stand before, between and behind its options.

    Args:
        parser: For the error if there is nothing to ask.
        args: Of the parser; ``text`` and ``where`` are changed.
        more: Words that the parser knew no place for.

    Returns:
        Those of them that are no sentences.
    """
    strange = [word for word in more if word.startswith('-') and ' ' not in word]
    args.text += [word for word in more if word not in strange]
    if not args.text:  # --where camera=c1 "a man": a sentence behind the filters
        filters = len(args.where or ())
        while filters > 1 and '=' not in args.where[filters - 1]:
            filters -= 1
        args.text = [*(args.where or ())[filters:]]
        args.where = (args.where or [])[:filters] or None
    if not args.text and args.image is None and args.must and not strange:
        args.text = [', '.join(args.must)]
    if not args.text and args.image is None and not strange:
        parser.error('a sentence in quotes is needed, or --image FILE')
    if args.image_weight is not None and not (args.text and args.image):
        parser.error('--image-weight is the share of --image beside a sentence; name both')
    return strange


def picture_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a search by a picture, without those that were not named."""
    weight = {} if args.image_weight is None else dict(image_weight=args.image_weight)
    return dict(image=args.image, texts=args.text, **weight)


def hint_at_quotes(texts: Sequence[str]) -> str | None:
    """Word a hint if all texts are single words, as of a sentence without its quotes.

    Example:
        >>> hint_at_quotes(['a', 'woman', 'in', 'red'])
        'each word was asked by itself; a sentence stands in quotes: "a woman in red"'
        >>> hint_at_quotes(['a woman', 'red'])
    """
    if len(texts) < 2 or any(len(text.split()) > 1 for text in texts):
        return None
    return f'each word was asked by itself; a sentence stands in quotes: "{" ".join(texts)}"'


def hint_at_tracks(results: Sequence['SearchResult'], group: str | None) -> str | None:
    """Word a hint if people are asked for by track, and none that was found has one.

    Example:
        >>> hint_at_tracks([], 'track')
    """
    found = [hit.entry for result in results for hit in result.hits]
    if group != 'track' or not found or any(entry.track is not None for entry in found):
        return None
    return 'nobody who was found has a track, so that --group track joined nothing'


def hints_at_left_out(found: Sequence['SearchResult'], left: Sequence['SearchResult'],
                      wanted: float) -> list[str]:
    """Word for each answer of which a probability left nothing how near it came.

    Example:
        >>> hints_at_left_out([], [], .5)
        []
    """
    hints = []
    for before, after in zip(found, left, strict=True):
        if before.hits and not after.hits:
            best = max(hit.get('probability', hit.get('estimate', 1)) for hit in before.hits)
            hints.append(f'--min-probability {wanted:g} left out all {len(before.hits)} hits; the '
                         f'best has {best:.2g}')
    return hints


def hint_at_unknown_probability(results: Sequence['SearchResult'],
                                wanted: float | None) -> str | None:
    """Word a hint if hits were wanted from a probability, and none is known of some.

    Example:
        >>> hint_at_unknown_probability([], .5)
    """
    unknown = sum('probability' not in hit and 'estimate' not in hit
                  for result in results for hit in result.hits)
    if wanted is None or not unknown:
        return None
    return (f'--min-probability left out none of {unknown} hits, whose probability is not known: '
            'it is of sentences that say what is there, without --image, --like and --unlike, and '
            'among 8 people or more')


def print_unknown_values(gallery: 'BaseGallery', where: Mapping[str, Any]) -> None:
    """Print the values of a filter that no entry has, where nothing came of it."""
    for key, value, similar in gallery.unknown_values(where):
        print(printable(f'no entry of {gallery.uri} has {key}={value}{word_similar(similar)}'),
              file=sys.stderr)
