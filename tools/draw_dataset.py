"""Draw DrawnPEDES, the embedded stand-in for data sets that cannot be shipped.

Examples:
    python tools/draw_dataset.py data/DrawnPEDES
    python tools/draw_dataset.py data/DrawnPEDES --size default --seed 0
    python tools/draw_dataset.py data/DrawnPEDES-small --size small
    python tools/draw_dataset.py data/DrawnPEDES-micro --size micro --workers 1
    python tools/draw_dataset.py data/DrawnPEDES-192 --image-size 192 64
    python tools/draw_dataset.py data/DrawnPEDES-own --people 500 50 100 --images 3
"""

import argparse

from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors
from mmtbps.drawing import draw_dataset
from mmtbps.drawing.build import SIZES, Size


def parse_args() -> argparse.Namespace:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', help='folder of the data set')
    parser.add_argument('--size', choices=list(SIZES), default='default')
    parser.add_argument('--people', nargs=3, type=int, metavar=('TRAIN', 'VAL', 'TEST'),
                        help='people of each split, instead of --size')
    parser.add_argument('--images', type=int, default=2,
                        help='images a person, with --people (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='another seed draws other people')
    parser.add_argument('--image-size', nargs=2, type=int, metavar=('HEIGHT', 'WIDTH'),
                        help='in pixels (default: 128 48; micro: 96 32)')
    parser.add_argument('--workers', type=int, help='processes (default: one a core)')
    parser.add_argument('--overwrite', action='store_true',
                        help='replace another drawn data set in the folder')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    size = Size(*args.people, images=args.images) if args.people else args.size
    with one_line_errors('interrupted; start the same command again to go on'):
        root = draw_dataset(args.root, size, args.seed, args.image_size, args.workers,
                            overwrite=args.overwrite)
        print(f'drawn data set in {root}')


if __name__ == '__main__':
    main()
