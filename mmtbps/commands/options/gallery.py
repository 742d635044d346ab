"""Options of commands on a gallery: its address, and the model that it was made with."""

import argparse
import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import AnyPath
from mmtbps.fileio.packed_addresses import images_place
from mmtbps.search.galleries.base import GalleryMismatch
from mmtbps.search.galleries.factory import noted_at, open_gallery
from mmtbps.search.galleries.provenance import Provenance, check_noted_model

from ..wording.licence_notice import print_model_notice
from ..wording.user_errors import fail
from .addresses import path_or_address
from .detector import word_detection
from .model import add_model_option, chosen_preprocessing
from .rerank import add_rerank_options, check_rerank, load_reranker

if TYPE_CHECKING:
    from mmtbps.search.inferencer import TextToPersonInferencer

__all__ = ['GOES_ON', 'add_gallery', 'add_gallery_model', 'cure_of_mismatch', 'find_images',
           'find_model', 'find_preprocessing', 'open_searcher', 'word_index']

#: After Ctrl-C, for commands that store something as they go.
GOES_ON = 'interrupted. What was stored is safe; the same command goes on'


def add_gallery(parser: argparse.ArgumentParser) -> None:
    """Add the address of the gallery."""
    parser.add_argument('gallery', help='a folder (*.lance for LanceDB, any other is kept in '
                        'memory), postgresql://host/database/table, or http://host:port/collection '
                        'of Milvus')


def add_gallery_model(parser: argparse.ArgumentParser, images: bool = False) -> None:
    """Add the options of the model, and with ``images`` the folder of the images."""
    noted = ' (default: as noted in the gallery)'
    add_model_option(parser, after=noted)
    parser.add_argument('--config', help='config, model folder or exported folder' + noted)
    parser.add_argument('--weights', help='checkpoint' + noted)
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (default: the best there is)')
    if images:
        add_rerank_options(parser, k=50)
        parser.add_argument('--calibration', type=Path, metavar='FILE', help='of mmtbps calibrate '
                            '(default: that of the gallery or beside the model)')
        parser.add_argument('--prior', type=float, metavar='P', help='share of sentences whose '
                            'person is there, 0 to 1 (default: 0.5)')
        parser.add_argument('--images', type=path_or_address, help='folder of the images, if it '
                            'has moved')


def find_model(args: argparse.Namespace) -> Provenance:
    """Return model and weights of the command line, else those noted in the gallery."""
    noted = noted_at(args.gallery)
    if args.model and (args.config or args.weights):
        raise BadValue('--model names a model with its weights; leave --config and --weights out')
    named = args.model or args.config
    if named is None and noted.model is None:
        raise BadValue(f'{args.gallery} has no note of its model; name it with --model, or with '
                       '--config and --weights')
    if named is None:
        check_noted_model(args.gallery, replace(noted, weights=args.weights or noted.weights))
    return Provenance(model=named or noted.model,
                      weights=args.weights or (noted.weights if named is None else None))


def find_preprocessing(args: argparse.Namespace) -> dict[str, Any]:
    """Return aspect and prompts of the command line, else those noted in the gallery."""
    named = args.model or args.config
    noted = {} if named else noted_at(args.gallery).details or {}
    return {key: noted[key] for key in ('aspect', 'prompts') if key in noted
            } | chosen_preprocessing(args)


def find_images(args: argparse.Namespace) -> AnyPath:
    """Return folder or address of the images, of the command line or of the gallery's note."""
    images = args.images or noted_at(args.gallery).images
    if images is None or not images_place(images).is_dir():
        open_gallery(args.gallery)  # of one that is not there nothing is noted
        said = 'is not noted' if images is None else f'was {images}, which is gone'
        raise MissingFile(f'{args.gallery}: the folder of its images {said}; name it with '
                          '--images')
    return images_place(images)


def open_searcher(args: argparse.Namespace, **question: Any) -> 'TextToPersonInferencer':
    """Open the gallery and load its model.

    Args:
        args: Of the command line.
        question: ``topk`` and ``where`` of a search, which are refused before the model is loaded.
    """
    from mmtbps.search.encoders.loading import load_encoder
    from mmtbps.search.inferencer import TextToPersonInferencer
    check_rerank(args)
    gallery = open_gallery(args.gallery)  # before a model is loaded: is there one?
    if args.rerank is not None:
        find_images(args)  # likewise: can it see any?
    if question:
        gallery.search(np.empty((0, gallery.dim), np.float32), **question)
    if args.prior is not None and not 0 < args.prior < 1:
        raise BadValue(f'--prior is between 0 and 1, got {args.prior}')
    provenance = find_model(args)
    encoder = load_encoder(provenance.model, provenance.weights, args.device,
                           notify=print_model_notice, **find_preprocessing(args))
    return TextToPersonInferencer(encoder, gallery=gallery, images=args.images,
                                  reranker=load_reranker(args), presence=True,
                                  calibration=args.calibration, prior=args.prior)


@contextlib.contextmanager
def cure_of_mismatch(args: argparse.Namespace) -> Iterator[None]:
    """Say how to index again where the gallery is of another model."""
    try:
        yield
    except GalleryMismatch as error:
        fail(f'{error}: {word_index(args)}')


def word_index(args: argparse.Namespace) -> str:
    """Word the command that indexes the images again, for a gallery of another model."""
    noted, given = noted_at(args.gallery), find_model(args)
    words = ['mmtbps', 'index', 'NEW.lance',
             str(getattr(args, 'source', None) or noted.images or 'IMAGES')]
    words += ['--config' if given.weights else '--model', given.model]
    words += ['--weights', given.weights] if given.weights else []
    words += ['--aspect', args.aspect] if args.aspect else []
    words += ['--prompt', *args.prompts] if args.prompts else []
    words += word_detection(noted.detection)
    return shlex.join(words)
