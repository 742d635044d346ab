"""Remove entries of a gallery; the images stay where they are.

Examples:
    mmtbps delete people.lance --where camera=c3 time=..2024-01-31
    mmtbps delete people.lance --path crops/0001.jpg crops/0002.jpg --yes
"""

import argparse
import sys
from typing import Any

from mmtbps.errors import BadValue, printable
from mmtbps.search.answers.gallery_statistics import forget_statistics
from mmtbps.search.galleries.base import BaseGallery
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.filters import parse_where
from mmtbps.search.galleries.names import match_paths, similar_paths
from mmtbps.search.galleries.provenance import read_provenance

from .options.gallery import GOES_ON, add_gallery
from .options.index import word_similar
from .options.query import print_unknown_values
from .wording.json_answers import add_json, answer
from .wording.user_errors import fail

__all__ = ['add_arguments', 'run']

INTERRUPTED = GOES_ON


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery, and what is to go."""
    add_gallery(parser)
    chosen = parser.add_mutually_exclusive_group(required=True)
    several = dict(nargs='+', action='extend')  # all of them count, also given one by one
    chosen.add_argument('--where', **several, metavar='KEY=VALUE', help='see query')
    chosen.add_argument('--path', **several, help='all people of these images or videos')
    chosen.add_argument('--id', **several, help='these entries')
    parser.add_argument('--yes', action='store_true', help='do not ask')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Ask, remove, and print how many are left."""
    gallery = open_gallery(args.gallery)
    chosen, missing = _choose_entries(gallery, args)
    number = len(chosen['ids']) if 'ids' in chosen else gallery.count(chosen['where'])
    lacks = (f'{args.gallery} has no entry of {"id" if args.id else "path"} '
             f'{" or ".join(missing)}')
    if missing and not number:  # a filter may fit nothing, a name is a slip
        raise BadValue(f'{lacks}; nothing was removed')
    if number and not args.yes:
        _confirm(f'Remove {number} of {gallery.count()} entries of {args.gallery}?')
    if not number and 'where' in chosen:
        print_unknown_values(gallery, chosen['where'])
    removed, left = gallery.delete(**chosen), gallery.count()
    forget_statistics(args.gallery)
    print(f'{args.gallery}: {removed} removed, {left} left')
    answer(dict(gallery=args.gallery, removed=removed, left=left, missing=missing))
    if missing:
        fail(f'{lacks}; the others were removed')


def _choose_entries(gallery: BaseGallery,
                    args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Return what is to go, as arguments of `BaseGallery.delete`, and the names of nothing."""
    if args.where:
        return dict(where=parse_where(args.where)), []
    if args.id:
        there = gallery.find(args.id)
        return dict(ids=list(there)), [key for key in args.id if key not in there]
    known = gallery.known(args.path)
    missing = [path for path in args.path if path not in known]
    if missing:  # spelled otherwise, or not there at all
        stored = {entry.path for entry in gallery.entries()}
        found = match_paths(missing, stored, read_provenance(gallery).images)
        known |= gallery.known(found.values())
        missing = [path for path in missing if path not in found]
        similar = similar_paths(missing, stored)
        missing = [path + word_similar(similar.get(path)) for path in missing]
    return dict(ids=[entry.id for entries in known.values() for entry in entries]), missing


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadValue(f'{question} Say so with --yes')
    if input(printable(f'{question} [y/N] ')).strip().lower() not in ('y', 'yes'):
        fail('nothing was removed')
