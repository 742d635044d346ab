"""Convert published checkpoints into ours.

A target that ends in .pth or .safetensors gets the weights alone. Any other target becomes a model
folder (settings, weights, tokenizer), which searching, exporting and testing take as it is.

Examples:
    mmtbps convert irra best0.pth person-model
    mmtbps convert irra IRRA/best.pth person-model --config IRRA/configs.yaml
    mmtbps convert rde RDE.tar:CUHK-PEDES/best.pth person-model
    mmtbps convert tbps_clip checkpoint_best.pth person-model
    mmtbps convert aptm checkpoint_best.pth person-model --data-set icfg
    mmtbps convert rasa checkpoint_best.pth person-model
    mmtbps convert blip model_base_retrieval_coco.pth blip --tokens 35
    mmtbps convert openai_clip ViT-B-16.pt clip-b16
    mmtbps convert openai_clip ViT-B-16.pt clip-b16-tall --image-size 384x128
    mmtbps convert open_clip weights.bin clip-b16 --activation gelu
    mmtbps convert hf_clip clip-vit-base-patch16/ weights/clip_b16.pth
    mmtbps convert timm vit_base_patch16_384.pth weights/vit_base_patch16_384.pth
    mmtbps convert timm augreg_B_16-i21k.npz weights/vit_base_patch16_384.pth
    mmtbps convert ctlg official_checkpoint.pth weights/ctlg_cuhk.pth
    mmtbps convert mmtbps work_dirs/demo/epoch_12.pth person-model
    mmtbps convert mmtbps epoch_60.pth person-model --config my_config.py
    mmtbps convert irra best0.pth person-model --json > weights.json

A source may lie inside a tar: weights.tar:folder/best.pth. Nothing in a source is run.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmtbps.catalog import kind_notice, model_notice
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, write_durably
from mmtbps.models.converters import (
    KINDS,
    Conversion,
    ConversionOptions,
    convert_checkpoint,
)
from mmtbps.models.trained_inputs import KEY, in_safetensors, stop_if_other_inputs
from mmtbps.search.encoders import TorchEncoder

from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_notice

__all__ = ['add_arguments', 'check_target', 'run', 'save_folder', 'save_weights', 'size', 'step']

_FILES = ('.pth', '.safetensors')
_CARD = """# Converted weights

The weights of {source}, converted by mmtbps as kind `{kind}` ({serves}). Their licence is that of
their publisher.{notice}

```python
from mmtbps.search import TextToPersonInferencer

searcher = TextToPersonInferencer('this folder', gallery='people.lance')
searcher.index('a folder of crops')
searcher('A woman in a red coat with a black bag.', topk=10)
```

This folder is for mmtbps; `mmtbps export --format transformers --model FOLDER DST` writes one for
transformers, sentence-transformers or Transformers.js, where these have such a model.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add source and target, and what a source does not say of itself."""
    parser.epilog = 'kinds:\n' + '\n'.join(
        f'  {name:12} {kind.serves}' for name, kind in KINDS.items())
    parser.add_argument('kind', choices=KINDS, metavar='KIND', help='layout, see below')
    parser.add_argument('source', help='file, FILE.tar:MEMBER, or a folder of transformers')
    parser.add_argument('target', type=Path, help='.pth, .safetensors, or a new folder')
    parser.add_argument('--image-size', type=size, metavar='HxW',
                        help='of the images, where it is not that of the publication')
    parser.add_argument('--stride', type=step, help='pixels between patches; default: side by side')
    parser.add_argument('--config', type=Path,
                        help="configs.yaml of IRRA's or RDE's code: image size, stride, selected "
                             'share; of mmtbps the config of the training, where the checkpoint '
                             'has none')
    parser.add_argument('--activation', choices=['quick_gelu', 'gelu'],
                        help='where neither the kind nor the name says it')
    parser.add_argument('--data-set', choices=['cuhk', 'icfg', 'rstp'],
                        help='that a model of APTM was trained on, whose colors it takes; default '
                             'cuhk')
    parser.add_argument('--tokenizer', metavar='FOLDER',
                        help='of BERT, for cross-encoders; default weights/bert-base-uncased')
    parser.add_argument('--tokens', type=step, metavar='N',
                        help='of a caption, special ones included, where they are not those of the '
                             'publication; for cross-encoders')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Convert, say what became of every weight, and write the model."""
    options = KINDS[args.kind].read_config(args.config) if args.config else ConversionOptions()
    options = replace(options, image_size=args.image_size or options.image_size,
                      stride=args.stride or options.stride, activation=args.activation,
                      data_set=args.data_set, tokenizer=args.tokenizer, max_length=args.tokens)
    check_target(args.target)
    conversion = convert_checkpoint(args.kind, args.source, options)
    notice = kind_notice(args.kind) or model_notice(args.source)
    answer(dict(
        kind=args.kind, source=args.source, target=str(args.target), licence=notice,
        used=conversion.used, dropped=conversion.dropped, missing=conversion.missing,
        misshapen=conversion.misshapen, unexpected=conversion.unexpected))
    if not args.json:
        print(conversion.report())
    if not conversion.complete:
        raise BadValue(f'{args.source}: incomplete or of other shapes, nothing written')
    if args.target.suffix in _FILES:
        save_weights(conversion.state_dict, args.target, conversion.inputs)
    elif conversion.no_folder:
        raise BadValue(f'{args.source}: no model folder can be made of it, because '
                       f'{conversion.no_folder}. Its weights alone can be converted: name a file '
                       f'that ends in {" or ".join(_FILES)}')
    else:
        save_folder(conversion, args.target, args.kind, args.source, notice)
    print_notice(notice)
    if not args.json:
        print(f'wrote {args.target}')


def save_weights(state: dict, target: Path, inputs: Mapping[str, Any] | None = None) -> None:
    """Write the weights and the note of their inputs; a stopped conversion leaves no half file.

    Args:
        state: the weights.
        target: file to write.
        inputs: what they were trained with, where it is known.
    """
    inputs = dict(inputs or {})
    if target.suffix == '.safetensors':
        from safetensors.torch import save
        write_durably(target, save(
            {key: value.contiguous() for key, value in state.items()},
            in_safetensors(inputs) or None))
    else:
        state = {key: value.clone() for key, value in state.items()}
        write_durably(target, lambda path: torch.save(
            dict(state_dict=state, **({'meta': {KEY: inputs}} if inputs else {})), path))


def save_folder(conversion: Conversion, target: Path, kind: str, source: str,
                notice: str | None) -> None:
    """Write a model folder, as `TorchEncoder.save_pretrained` does."""
    config = Config(dict(
        default_scope='mmtbps', model=conversion.model,
        test_dataloader=dict(dataset=dict(pipeline=conversion.pipeline))))
    encoder = TorchEncoder(config, weights={**conversion.state_dict, **conversion.heads},
                           device='cpu')
    stop_if_other_inputs(conversion.inputs, encoder.inputs, source)
    encoder.save_pretrained(target)
    write_durably(target / 'README.md', _CARD.format(
        source=Path(source).name, kind=kind, serves=KINDS[kind].serves,
        notice=f'\n\nLicence: {notice}.' if notice else ''))


def check_target(target: Path) -> None:
    """Refuse a target that is of the other kind, holds something else, or cannot be written."""
    check_writable(target, folder=target.suffix not in _FILES)
    if target.suffix in _FILES:
        if target.is_dir():
            raise BadValue(f'{target}: a folder; name a file')
        return
    if target.exists() and not target.is_dir():
        raise BadValue(f'{target}: a file; name a folder, or a file that ends in '
                       f'{" or ".join(_FILES)}')
    if target.is_dir() and any(target.iterdir()) and not (target / 'config.json').is_file():
        raise BadValue(f'{target}: a folder with something else in it; name a new one')


def size(text: str) -> tuple[int, int]:
    """Read ``384x128``."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if not match or '0' in match.groups():
        raise argparse.ArgumentTypeError(f'must be HEIGHTxWIDTH, such as 384x128; got {text!r}')
    return int(match[1]), int(match[2])


def step(text: str) -> int:
    """Read a number of pixels."""
    if not re.fullmatch(r'0*[1-9]\d*', text):
        raise argparse.ArgumentTypeError(f'must be a number of pixels, such as 16; got {text!r}')
    return int(text)
