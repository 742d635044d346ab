"""Encode a folder of images into feature files: strangers to add to a gallery when testing.

Stopped or killed, the same command goes on after the last whole file.

Examples:
    mmtbps extract-features CONFIG CHECKPOINT data/strangers work_dirs/strangers
    mmtbps extract-features EXPORTED_MODEL none data/strangers work_dirs/strangers
    mmtbps extract-features --model hf:openai/clip-vit-base-patch16 data/strangers OUT
    mmtbps test CONFIG CHECKPOINT --distractors work_dirs/strangers

The machines of a Ray cluster:
    mmtbps extract-features CONFIG CHECKPOINT /shared/strangers work_dirs/strangers --ray
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from mmtbps.clusters import RayPool, check_shared, lost_items
from mmtbps.clusters.ray_pool import LOST
from mmtbps.errors import BadValue, MissingFile, printable
from mmtbps.fileio import check_writable, write_durably
from mmtbps.search import load_encoder
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.feature_files import BatchEncoder, Encoded, FeatureFiles, NumberedImage
from mmtbps.search.galleries.base import is_same_model
from mmtbps.search.media.images import UnreadableImage, list_images

from .options.addresses import path_or_address
from .options.cluster import add_cluster_options, check_cluster, open_pool
from .options.model import add_model_option, chosen_preprocessing, names_model
from .wording.command_names import CommandParser
from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice
from .wording.progress import progress

__all__ = ['add_arguments', 'open_encoder', 'run', 'write_files', 'write_manifest']

INTERRUPTED = 'interrupted. Whole files are kept; the same command goes on'
MANIFEST = 'extraction.json'


def add_arguments(parser: CommandParser) -> None:
    """Add the model, the images, and the files to write."""
    if not names_model(parser.words):
        parser.add_argument('config', metavar='model', help='path of the config, or a folder made '
                            'by mmtbps export')
        parser.add_argument('checkpoint', help='path of the checkpoint; "none" for an exported '
                            'model')
    parser.set_defaults(config=None, checkpoint='none')
    add_model_option(parser, 'in place of MODEL and CHECKPOINT: ')
    parser.add_argument('images', type=path_or_address, help='folder of images, with '
                        'sub-folders, or its address in an object store')
    parser.add_argument('out', type=Path, help='folder of the feature files')
    parser.add_argument('--part-size', type=int, default=4096,
                        help='images of a file (default: %(default)s)')
    parser.add_argument('--dtype', choices=['float16', 'float32'], default='float16',
                        help='of the numbers in the files (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=2,
                        help='threads that read images (default: %(default)s)')
    parser.add_argument('--device', help="'cpu', 'cuda', 'cuda:1'; by default the best there is")
    add_cluster_options(parser)
    add_json(parser)


def write_manifest(out: Path, manifest: dict) -> None:
    """Write down the content of the folder, or refuse a folder that holds something else."""
    file = out / MANIFEST
    if not file.exists():
        write_durably(file, json.dumps(manifest))
        return
    try:
        before = json.loads(file.read_text(encoding='utf-8'))
        if not isinstance(before, dict):
            raise ValueError(f'expected an object {{...}}, got {type(before).__name__}')
    except ValueError as error:
        raise BadValue(f'{file}: damaged ({error}); take a new folder, or remove this one'
                       ) from error
    changed = [key for key in manifest if before.get(key) != manifest[key] and not (
        key == 'model' and is_same_model(before[key], manifest[key]))]
    if changed:
        raise BadValue(f'{out} was begun with other {", ".join(changed)}; take a new folder, or '
                       'remove this one')


def write_files(files: FeatureFiles, batches: Sequence[Sequence[NumberedImage]],
                results: Iterable[tuple[Sequence[NumberedImage], Encoded | None]]) -> None:
    """Write the files of batches that come in any order; name the images that are left out.

    Args:
        files: To be written.
        batches: Of their images.
        results: Of the batches; None for an image that ended its process.
    """
    def lose(item: NumberedImage) -> None:
        say_left_out(UnreadableImage(item[1], LOST))
        files.pass_over([item])

    for batch, encoded in lost_items(progress(results, 'Encoding', len(batches)), lose):
        for reason in encoded.left_out:
            say_left_out(reason)
        files.take(batch, encoded.features)


def say_left_out(reason: object) -> None:
    """Print the path of an image and the reason why it is in no file."""
    print(printable(f'left out: {reason}'), file=sys.stderr)


def open_encoder(args: argparse.Namespace, notify: Callable[[str], None] | None = None) -> Encoder:
    """Load the model, in this process or in an actor of a cluster."""
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    return load_encoder(args.model or args.config, checkpoint, args.device, notify=notify,
                        **chosen_preprocessing(args))


def open_batches(args: argparse.Namespace) -> BatchEncoder:
    """Load, in an actor of a cluster, what encodes a batch."""
    check_shared(args.images)
    return BatchEncoder(open_encoder(args), args.workers)


def encode(args: argparse.Namespace, encoder: Encoder, pool: RayPool | None,
           batches: Sequence[Sequence[NumberedImage]]
           ) -> Iterable[tuple[Sequence[NumberedImage], Encoded | None]]:
    """Encode batches in this process, or on a cluster; yield each with its features."""
    if pool is not None:
        return pool.run(partial(open_batches, args), batches)
    work = BatchEncoder(encoder, args.workers)
    return ((batch, work(batch)) for batch in batches)


def run(args: argparse.Namespace) -> None:
    """Encode the images of every missing file and print their number."""
    if args.part_size < 1 or args.workers < 1:
        raise BadValue('--part-size and --workers must be positive')
    check_writable(args.out, folder=True)
    if not args.images.is_dir() or not (paths := list_images(args.images)):
        raise MissingFile(f'{args.images}: no such folder, or no image in it')
    check_cluster(args, (0, 1))
    encoder = open_encoder(args, print_model_notice)
    write_manifest(args.out, dict(
        model=encoder.fingerprint, part_size=args.part_size, dtype=args.dtype,
        images=[path.relative_to(args.images.resolve()).as_posix() for path in paths]))
    files = FeatureFiles(paths, args.out, args.part_size, args.dtype)
    batches = files.batches()
    with open_pool(args) as pool:
        write_files(files, batches, encode(args, encoder, pool, batches))
    encoded, before = files.encoded, len(paths) - files.images
    print(f'{encoded} of {files.images} images encoded now into {files.missing} files, '
          f'{before} were there before: {args.out}')
    answer(dict(folder=str(args.out), encoded=encoded, left_out=files.images - encoded,
                before=before, files=files.missing))
