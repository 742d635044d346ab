"""Draw DrawnPEDES, the embedded stand-in for data sets that cannot be shipped.

Examples:
    mmtbps draw data/DrawnPEDES
    mmtbps draw data/DrawnPEDES --size default --seed 0
    mmtbps draw data/DrawnPEDES-small --size small
    mmtbps draw data/DrawnPEDES-micro --size micro --workers 1
    mmtbps draw data/DrawnPEDES-192 --image-size 192 64
    mmtbps draw data/DrawnPEDES-own --people 500 50 100 --images 3
    mmtbps draw data/DrawnPEDES-2 --version 2
    mmtbps draw data/DrawnPEDES --benchmarks
"""

import argparse

from mmtbps.drawing import draw_dataset
from mmtbps.drawing.benchmarks import write_benchmarks
from mmtbps.drawing.build import SIZES, Size
from mmtbps.drawing.versions import VERSIONS

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted; start the same command again to go on'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, and what is drawn."""
    parser.add_argument('root', help='folder of the data set')
    parser.add_argument('--size', choices=list(SIZES), default='default')
    parser.add_argument('--people', nargs=3, type=int, metavar=('TRAIN', 'VAL', 'TEST'),
                        help='people of each split, instead of --size')
    parser.add_argument('--images', type=int, default=2,
                        help='images a person, with --people (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='another seed draws other people')
    parser.add_argument('--image-size', nargs=2, type=int, metavar=('HEIGHT', 'WIDTH'),
                        help='in pixels (default: 128 48; micro: 96 32)')
    parser.add_argument('--version', type=int, choices=list(VERSIONS), default=1,
                        help='2: more attributes, cameras and occlusion, and captions in free '
                        'wording, of one attribute up to all (default: %(default)s)')
    parser.add_argument('--benchmarks', action='store_true', help='write benchmarks of attribute '
                        'binding and of short sentences on the test people, too')
    parser.add_argument('--workers', type=int, help='processes (default: one a core)')
    parser.add_argument('--overwrite', action='store_true',
                        help='replace another drawn data set in the folder')


def run(args: argparse.Namespace) -> None:
    """Draw the data set."""
    size = Size(*args.people, images=args.images) if args.people else args.size
    root = draw_dataset(args.root, size, args.seed, args.image_size, args.workers,
                        overwrite=args.overwrite, version=args.version)
    print(f'drawn data set in {root}')
    if args.benchmarks:
        print(f'benchmarks in {write_benchmarks(root)}')
