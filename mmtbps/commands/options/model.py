"""Options that name a model: CONFIG and CHECKPOINT, or --model NAME in their place."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmtbps.errors import BadValue
from mmtbps.pretrained import ASPECTS, is_dual_encoder
from mmtbps.search.encoders.loading import fetch_saved_model, find_graphs

from ..wording.licence_notice import print_model_notice

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['MODEL_NAMES', 'add_model_option', 'add_model_positionals', 'chosen_preprocessing',
           'names_model', 'prepare_named_test']

#: Names that --model takes, for a help text.
MODEL_NAMES = ('hf:owner/name[@REVISION] or hf:FOLDER of transformers, open_clip:NAME/TAG, a '
               'folder of ours, of mmtbps export or in the layout of Immich (also onnx:FOLDER), '
               'owner/name of ours on the hub')


def names_model(argv: Sequence[str] | None) -> bool:
    """Tell whether a command line has ``--model``.

    Example:
        >>> names_model(['--model=hf:a/b', 'out']), names_model(['config.py', 'last.pth'])
        (True, False)
    """
    words = sys.argv[1:] if argv is None else argv
    return any(word == '--model' or word.startswith('--model=') for word in words)


def add_model_positionals(parser: argparse.ArgumentParser, argv: Sequence[str] | None,
                          needs_config: bool = False) -> None:
    """Add CONFIG and CHECKPOINT, or with ``--model`` in the command line nothing in their place.

    Args:
        parser: of the command; the positionals come before its own.
        argv: the command line.
        needs_config: whether CONFIG stays, because the data set stands in it.
    """
    named = names_model(argv)
    if not named or needs_config:
        parser.add_argument('config', help='path of the config' + (
            '; with --model its data set alone counts' if needs_config else ''))
    if not named:
        parser.add_argument('checkpoint', help='path of the checkpoint; not with --model')
    parser.set_defaults(**{name: None for name in ('config', 'checkpoint')
                           if name not in {action.dest for action in parser._actions}})
    add_model_option(parser, 'in place of CHECKPOINT: ' if needs_config
                     else 'in place of CONFIG and CHECKPOINT: ')


def add_model_option(parser: argparse.ArgumentParser, before: str = '', after: str = '') -> None:
    """Add ``--model``, ``--aspect`` and ``--prompt``."""
    parser.add_argument('--model', metavar='NAME[@REVISION]', help=before + MODEL_NAMES + after)
    parser.add_argument('--aspect', choices=ASPECTS, help='how a crop gets the shape that a '
                        'pretrained model of another library takes: padded, stretched, or cut as '
                        f'its own processor cuts (default: letterbox{after and " or as noted"})')
    parser.add_argument('--prompt', nargs='+', action='extend', metavar='TEMPLATE', dest='prompts',
                        help='words around a sentence for such a model, as "a photo of {}"; the '
                        'features of several are averaged (default: the bare sentence)')


def chosen_preprocessing(args: argparse.Namespace) -> dict[str, Any]:
    """Return aspect and prompts of the command line, those that are given.

    Example:
        >>> chosen_preprocessing(argparse.Namespace(aspect='stretch', prompts=None))
        {'aspect': 'stretch'}
    """
    return {key: getattr(args, key) for key in ('aspect', 'prompts') if getattr(args, key)}


def prepare_named_test(cfg: 'Config', args: argparse.Namespace) -> str | None:
    """Prepare a config to test the model that the command line names.

    Args:
        cfg: of the command line; changed in place.
        args: with ``checkpoint``, ``split``, ``model``, ``aspect`` and ``prompts``.

    Returns:
        The checkpoint to load; None for a model that brings its weights.

    Raises:
        BadValue: the model is an exported one; or aspect and prompts are given for one of ours.
    """
    from mmtbps.engine.launch import prepare_pretrained_test, prepare_test
    if find_graphs(args.model):
        raise BadValue(f'{args.model} is an exported model, which a test set is not run on; '
                       '--evaluate of mmtbps export compares it with the model it was made of')
    if is_dual_encoder(args.model):
        print_model_notice(args.model)
        prepare_pretrained_test(cfg, args.model, args.split, args.aspect, args.prompts)
        return None
    if args.aspect or args.prompts:
        raise BadValue('--aspect and --prompt are for pretrained models of other libraries '
                       '(--model hf:NAME or open_clip:NAME/TAG)')
    checkpoint = args.checkpoint
    if args.model:
        checkpoint = _use_folder(cfg, args.model, args.split)
    prepare_test(cfg, checkpoint, args.split)
    return checkpoint


def _use_folder(cfg: 'Config', model: str, split: str) -> str:
    """Put model and test pipeline of a folder of ours, or of the hub, into a config.

    Returns:
        Its weights.
    """
    from mmtbps.search.encoders.saved_model import find_model_source
    source = find_model_source(fetch_saved_model(model))
    if source.weights is None:
        raise BadValue(f'{model} brings no weights; name it as CONFIG with a CHECKPOINT')
    cfg.model = source.model
    cfg[f'{split}_dataloader'].dataset.pipeline = source.pipeline
    return str(source.weights)
