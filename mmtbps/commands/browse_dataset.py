"""Draw items of a data set as the model sees them, beside the pictures that they come from.

Examples:
    mmtbps browse-dataset configs/tbps/vit_bert_pdg_drawn.py --output-dir browsed
    mmtbps browse-dataset CONFIG --output-dir browsed --phase test --show-number 20
    mmtbps browse-dataset CONFIG --output-dir browsed --mode transformed --seed 3
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope

from mmtbps.config_file import read_config
from mmtbps.datasets import SeededIndex
from mmtbps.datasets.transforms import LoadImageFromFile
from mmtbps.engine.cfg_options import CfgOptions, merge_options
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, write_durably
from mmtbps.registry import DATASETS
from mmtbps.unknown_types import explain_unknown_types
from mmtbps.visualization import draw_training_item

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config and what of its data is drawn."""
    parser.add_argument('config', help='path of the config, or name of a shipped one')
    parser.add_argument('--output-dir', '-o', required=True, metavar='FOLDER',
                        help='folder of the pictures')
    parser.add_argument('--phase', '-p', choices=['train', 'val', 'test'], default='train',
                        help='which of the config\'s data loaders (default: train)')
    parser.add_argument('--show-number', '-n', type=int, default=10,
                        help='so many items (default: 10)')
    parser.add_argument('--mode', '-m', choices=['original', 'transformed', 'concat'],
                        default='concat', help='the file, what the model sees of it, or both '
                        '(default: concat)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice and the augmentation')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
                        help='change settings of the config')


def run(args: argparse.Namespace) -> None:
    """Choose items, pass them through the pipeline and draw them."""
    check_writable(args.output_dir, folder=True)
    loader = f'{args.phase}_dataloader'
    cfg = read_config(args.config, loader)
    merge_options(cfg, args.cfg_options)
    with explain_unknown_types(cfg), DefaultScope.overwrite_default_scope('mmtbps'):
        dataset = DATASETS.build(cfg[loader].dataset)
    if not hasattr(dataset, 'get_item'):
        raise BadValue(f'{type(dataset).__name__} is no data set of people of this package')
    rng = np.random.default_rng(args.seed)
    chosen = np.sort(rng.permutation(len(dataset))[:max(args.show_number, 0)])
    for row, seed in zip(chosen.tolist(), rng.integers(2**32, size=len(chosen)), strict=True):
        packed = dataset[SeededIndex(row, int(seed))]
        sample = packed['data_samples']
        picture = draw_training_item(
            _pictures(packed, sample.img_path, args.mode), sample.captions,
            f'item {sample.sample_idx}, person {sample.person_id}: {sample.img_path}')
        path = Path(args.output_dir, f'{row:06d}.png')
        write_durably(path, lambda to, picture=picture: picture.save(to, 'PNG'))
    print(f'{args.output_dir}: {len(chosen)} of {len(dataset)} items')


def _pictures(packed: dict[str, Any], path: str, mode: str) -> dict[str, np.ndarray]:
    """Collect the pictures of an item, red first: of its file, and those that go to the model."""
    pictures = {}
    if mode != 'transformed':
        pictures['file'] = LoadImageFromFile()(dict(img_path=path))['img'][..., ::-1]
    if mode != 'original':
        for name, value in packed['inputs'].items():
            if value.ndim == 3 and value.shape[0] == 3:
                pictures[name] = value.numpy()[::-1].transpose(1, 2, 0)
    return {name: np.ascontiguousarray(picture) for name, picture in pictures.items()}
