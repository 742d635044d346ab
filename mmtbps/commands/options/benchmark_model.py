"""Options of commands that ask a model the questions of a benchmark file."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmtbps.datasets.images import read_picture
from mmtbps.pretrained import ASPECTS
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.encoders.loading import load_encoder

from ..wording.json_answers import add_json
from ..wording.licence_notice import print_model_notice
from ..wording.progress import progress
from .model import MODEL_NAMES, chosen_preprocessing

__all__ = ['add_benchmark_arguments', 'encode_pictures', 'encode_sentences', 'open_model']

_BATCH = 64


def add_benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model, the file, and the folder of its pictures."""
    parser.add_argument('model', metavar='MODEL', help=f'a config, or {MODEL_NAMES}')
    parser.add_argument('benchmark', metavar='BENCHMARK', type=Path, help='file of the benchmark')
    parser.add_argument('--checkpoint', help='of a config; other models bring their weights')
    parser.add_argument('--images', type=Path, help='folder that the paths in the file start from '
                        '(default: that of the file)')
    parser.add_argument('--aspect', choices=ASPECTS, help='as for mmtbps extract-features --model')
    parser.add_argument('--prompt', nargs='+', action='extend', metavar='TEMPLATE', dest='prompts',
                        help='words around a sentence for a model of another library')
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (default: the best there is)')
    add_json(parser)


def open_model(args: argparse.Namespace) -> Encoder:
    """Load the model of the command line."""
    return load_encoder(args.model, args.checkpoint, args.device, notify=print_model_notice,
                        **chosen_preprocessing(args))


def encode_pictures(encoder: Encoder, paths: Sequence[str]) -> dict[str, np.ndarray]:
    """Encode pictures, each once, into features by path."""
    return _encode(paths, lambda part: encoder.encode_images([read_picture(one) for one in part]),
                   'pictures')


def encode_sentences(encoder: Encoder, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Encode sentences, each once, into features by sentence."""
    return _encode(texts, encoder.encode_texts, 'sentences')


def _encode(names: Sequence[str], encode, words: str) -> dict[str, np.ndarray]:
    unique = list(dict.fromkeys(names))
    parts = [unique[start:start + _BATCH] for start in range(0, len(unique), _BATCH)]
    return {name: feature for part in progress(parts, words)
            for name, feature in zip(part, encode(part), strict=True)}
