"""Pack a folder of images into a few tar files, which data sets read as they read the folder.

Worth it from some hundred thousand images on, or on a network disk. Stop it whenever you like and
start it again: finished shards stay, and images that are new since are added.

Examples:
    mmtbps pack data/CUHK-PEDES/imgs data/CUHK-PEDES/imgs.tars
    mmtbps pack data/MALS/imgs /fast/disk/imgs.tars --shard-size 2GB --workers 8
    mmtbps pack data/CUHK-PEDES/imgs data/CUHK-PEDES/imgs.tars --verify

Then data_prefix=dict(img_path='imgs.tars') in the config, or move the folder `imgs` away: a data
set that does not find `imgs` takes `imgs.tars`.
"""

import argparse
import re
from collections import Counter

from rich.progress import track

from mmtbps.datasets.write_packed import differing, find_packable_images, pack_images
from mmtbps.errors import printable

from .wording.json_answers import add_json, answer
from .wording.user_errors import fail

__all__ = ['add_arguments', 'number', 'pack', 'run', 'size', 'verify']

INTERRUPTED = 'interrupted; start the same command again to go on'
UNITS = {'': 1, 'K': 10**3, 'M': 10**6, 'G': 10**9, 'T': 10**12}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folders, and the work that is done with them."""
    parser.add_argument('folder', help='images, in any sub-folders')
    parser.add_argument('out', help='folder of packed images, named *.tars')
    parser.add_argument('--shard-size', type=size, default='1GB', metavar='SIZE',
                        help='after which the next shard begins (default: %(default)s)')
    parser.add_argument('--workers', type=number, default=1,
                        help='shards written at the same time (default: %(default)s); more help '
                             'where the images lie on a network disk')
    parser.add_argument('--verify', action='store_true',
                        help='pack nothing; compare all packed images with the originals')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    add_json(parser)


def size(text: str) -> int:
    """Read a number of bytes such as ``'500MB'`` or ``'1.5G'``.

    >>> size('1.5 GB')
    1500000000
    """
    match = re.fullmatch(r'([\d.]+)\s*([KMGT]?)B?', text.strip(), re.IGNORECASE)
    try:
        bytes_ = int(float(match[1]) * UNITS[match[2].upper()])
    except (TypeError, ValueError):
        bytes_ = 0
    if bytes_ <= 0:
        raise argparse.ArgumentTypeError(f'{text!r} is no size; write 500MB or 1GB')
    return bytes_


def number(text: str) -> int:
    """Read a number of processes.

    >>> number('2')
    2
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return int(text)


def run(args: argparse.Namespace) -> None:
    """Pack the images, or compare what is packed."""
    (verify if args.verify else pack)(args)


def pack(args: argparse.Namespace) -> None:
    """Pack the images and print what was left out."""
    done = pack_images(args.folder, args.out, args.shard_size, args.workers, not args.quiet)
    by_kind = Counter()
    for skipped in done.skipped:
        if skipped.harmless:
            by_kind[skipped.reason] += 1
        else:
            print(printable(f'left out: {skipped}'))
    for reason, count in by_kind.items():
        print(f'left out: {count} x {reason}')
    print(f'{args.out}: {done.packed} images packed, {done.before} were packed before, '
          f'{len(done.skipped)} files left out')
    answer(dict(folder=args.out, packed=done.packed, before=done.before,
                left_out=[skipped._asdict() for skipped in done.skipped]))


def verify(args: argparse.Namespace) -> None:
    """Compare the packed images with the originals and print those that differ."""
    total = len(find_packable_images(args.folder)[0])
    differ = []
    for name, reason in track(differing(args.folder, args.out), 'comparing', total=total,
                              disable=args.quiet):
        if reason is not None:
            differ.append(dict(name=name, reason=reason))
            print(printable(f'{name}: {reason}'))
    answer(dict(folder=args.out, images=total, differ=differ))
    if differ:
        fail(f'{len(differ)} of {total} images differ; a shard that is deleted with its index is '
             'packed anew from the originals')
    print(f'all {total} images are packed, byte for byte')
