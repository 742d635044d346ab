"""Fold changes into the files and the index of a gallery.

Examples:
    mmtbps compact people.lance
    mmtbps compact postgresql://host/cams/people --index hnsw
"""

import argparse

from mmtbps.search.answers.gallery_statistics import forget_statistics
from mmtbps.search.galleries.factory import open_gallery

from .options.gallery import GOES_ON, add_gallery
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']

INTERRUPTED = GOES_ON


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the gallery."""
    add_gallery(parser)
    parser.add_argument('--index', choices=('hnsw', 'none'), help='of a gallery in PostgreSQL: '
                        'build an approximate index and tell its recall, or drop it')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Compact the gallery and print what it holds."""
    with open_gallery(args.gallery) as gallery:
        gallery.optimize()
        told = gallery.build_index(args.index) if args.index else []
        forget_statistics(args.gallery)  # which were reckoned with what has gone
        known = gallery.info()
    for line in told:
        print(f'{args.gallery}: {line}')
    print(f'{args.gallery}: {known["entries"]} entries, index: {known["index"]}')
    answer(dict(gallery=args.gallery, entries=known['entries'], index=known['index'], told=told))
