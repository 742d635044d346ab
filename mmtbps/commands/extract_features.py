"""Encode a folder of images into feature files: strangers to add to a gallery when testing.

Stopped or killed, the same command goes on after the last whole file.

Examples:
    mmtbps extract-features CONFIG CHECKPOINT data/strangers work_dirs/strangers
    mmtbps extract-features EXPORTED_MODEL none data/strangers work_dirs/strangers
    mmtbps extract-features --model hf:openai/clip-vit-base-patch16 data/strangers OUT
    mmtbps test CONFIG CHECKPOINT --distractors work_dirs/strangers
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from mmtbps.errors import BadValue, MissingFile, printable
from mmtbps.fileio import AnyPath, check_writable, write_durably
from mmtbps.search import load_encoder
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.galleries.base import is_same_model
from mmtbps.search.media.images import UnreadableImage, list_images, read_image

from .options.addresses import path_or_address
from .options.model import add_model_option, chosen_preprocessing, names_model
from .wording.command_names import CommandParser
from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice

__all__ = ['add_arguments', 'encode', 'missing_parts', 'run', 'write_manifest']

INTERRUPTED = 'interrupted. Whole files are kept; the same command goes on'
BATCH = 64
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


def encode(paths: Sequence[AnyPath], encoder: Encoder, workers: int) -> np.ndarray:
    """Encode readable images into ``(n, dim)`` features; the others are named and left out."""
    features = [np.empty((0, encoder.dim), np.float32)]
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(paths), BATCH):
            images = list(pool.map(try_to_read, paths[start:start + BATCH]))
            if images := [image for image in images if image is not None]:
                features.append(encoder.encode_images(images))
    return np.concatenate(features)


def try_to_read(path: AnyPath) -> Image.Image | None:
    """Read an image; print the reason and return ``None`` if it cannot be read."""
    try:
        return read_image(path)
    except UnreadableImage as error:
        print(printable(f'left out: {error}'), file=sys.stderr)
        return None


def missing_parts(paths: Sequence[AnyPath], size: int,
                  out: Path) -> Iterator[tuple[Path, Sequence[AnyPath]]]:
    """Yield the files still to be written, and the images of each."""
    for start in range(0, len(paths), size):
        file = out / f'part_{start:09d}.npy'
        if not file.exists():
            yield file, paths[start:start + size]


def run(args: argparse.Namespace) -> None:
    """Encode the images of every missing file and print their number."""
    if args.part_size < 1 or args.workers < 1:
        raise BadValue('--part-size and --workers must be positive')
    check_writable(args.out, folder=True)
    if not args.images.is_dir() or not (paths := list_images(args.images)):
        raise MissingFile(f'{args.images}: no such folder, or no image in it')
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    encoder = load_encoder(args.model or args.config, checkpoint, args.device,
                           notify=print_model_notice, **chosen_preprocessing(args))
    write_manifest(args.out, dict(
        model=encoder.fingerprint, part_size=args.part_size, dtype=args.dtype,
        images=[path.relative_to(args.images.resolve()).as_posix() for path in paths]))
    missing = list(missing_parts(paths, args.part_size, args.out))
    encoded = 0
    for file, part in track(missing, 'Encoding', disable=not sys.stderr.isatty()):
        features = encode(part, encoder, args.workers).astype(args.dtype)
        encoded += len(features)
        if len(features):
            np.save(buffer := BytesIO(), features, allow_pickle=False)
            write_durably(file, buffer.getvalue())
    total = sum(len(part) for _, part in missing)
    before = len(paths) - total
    print(f'{encoded} of {total} images encoded now into {len(missing)} files, '
          f'{before} were there before: {args.out}')
    answer(dict(folder=str(args.out), encoded=encoded, left_out=total - encoded, before=before,
                files=len(missing)))
