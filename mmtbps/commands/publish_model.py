"""Write the weights of a checkpoint as a file to hand on, its hash in the name.

Low-rank adapters are merged: a plain model takes the file.

Example:
    mmtbps publish-model work_dirs/demo/epoch_12.pth conv_base_drawn
"""

import argparse

from mmtbps.fileio import check_writable
from mmtbps.models.publishing import publish_weights

from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the checkpoint and the file to write."""
    parser.add_argument('checkpoint', help='of a training, or weights alone')
    parser.add_argument('target', help='name of the file; -HASH.safetensors takes the place of '
                        'its suffix')
    parser.add_argument('--heads', action='store_true',
                        help='keep the weights of heads, which act in training alone')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Write the file and print its name."""
    check_writable(args.target)
    file = publish_weights(args.checkpoint, args.target, args.heads)
    print(file)
    answer(dict(file=str(file)))
