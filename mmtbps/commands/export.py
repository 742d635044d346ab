"""Export a model for other programs: ONNX Runtime, transformers and its relatives.

With ONNX Runtime searching needs neither torch nor MMEngine. A folder for transformers,
sentence-transformers or Transformers.js loads there without any code of ours.

Examples:
    mmtbps export CONFIG CHECKPOINT OUT_DIR
    mmtbps export CONFIG CHECKPOINT OUT_DIR --int8 --evaluate
    mmtbps export CONFIG CHECKPOINT OUT_DIR --int8 --images crops/ --captions queries.txt
    mmtbps export --model hf:openai/clip-vit-base-patch16 OUT_DIR --int8
    mmtbps export --format transformers --model FOLDER OUT_DIR
    mmtbps export --format sentence-transformers CONFIG CHECKPOINT OUT_DIR
    mmtbps export --format transformers.js --model FOLDER OUT_DIR
"""

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

from mmtbps.config_file import read_config
from mmtbps.engine.cfg_options import CfgOptions, merge_options
from mmtbps.engine.launch import add_allow_missing, allow_missing_images
from mmtbps.errors import BadValue
from mmtbps.evaluation import evaluate_ranking
from mmtbps.fileio import check_writable
from mmtbps.registry import DATASETS
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.encoders.hub_folders import FORMATS, export_hub_folder
from mmtbps.search.encoders.loading import load_encoder
from mmtbps.search.encoders.onnx_encoder import OnnxEncoder
from mmtbps.search.encoders.onnx_export import export_encoder
from mmtbps.search.encoders.torch_encoder import TorchEncoder
from mmtbps.search.media.images import list_images, read_image

from .options.model import add_model_positionals, chosen_preprocessing
from .wording.command_names import CommandParser
from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice

__all__ = ['add_arguments', 'compare_ranking', 'list_test_items', 'rank', 'read_captions',
           'read_images', 'run']

MOST_COMPARED = 64
BATCH = 64
#: Points of R1 that an export may lose on the test set.
MAX_R1_LOSS = 1.0


def add_arguments(parser: CommandParser) -> None:
    """Add the model, the folder to write, and the comparisons with torch."""
    add_model_positionals(parser, parser.words)
    parser.add_argument('out_dir', help='the new folder')
    parser.add_argument('--format', choices=['onnx', *FORMATS], default='onnx',
                        help='program that the folder is for (default: onnx, for ONNX Runtime)')
    parser.add_argument('--int8', action='store_true',
                        help='also write 8-bit graphs, and make them the default of the folder; '
                        'of --format onnx')
    parser.add_argument('--images', metavar='FOLDER', help='compare features of these, too: the '
                        f'first {MOST_COMPARED} images below the folder')
    parser.add_argument('--captions', metavar='FILE', help='compare features of these, too: the '
                        f'first {MOST_COMPARED} lines of a text file')
    parser.add_argument('--evaluate', action='store_true',
                        help="rank the config's test set by torch and by what was exported, and "
                        f'fail if R1 falls by more than {MAX_R1_LOSS:g} points; of --format onnx')
    add_json(parser)
    add_allow_missing(parser)
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE',
                        help='change settings of the config')


def read_images(folder: str) -> list[Image.Image]:
    """Read the first images of a folder."""
    images = [read_image(path) for path in list_images(folder)[:MOST_COMPARED]]
    if not images:
        raise BadValue(f'{folder}: no image below this folder to compare features of')
    return images


def read_captions(file: str) -> list[str]:
    """Read the first lines of a file that are not empty."""
    try:
        with open(file, encoding='utf-8') as lines:
            captions = list(islice(filter(None, map(str.strip, lines)), MOST_COMPARED))
    except UnicodeDecodeError as error:
        raise BadValue(f'{file}: not UTF-8 text ({error})') from error
    if not captions:
        raise BadValue(f'{file}: no caption in this file to compare features of')
    return captions


def list_test_items(cfg: Config) -> list[dict]:
    """List path, captions and person of each image of the config's test set."""
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=[], serialize_data=False))
    if left_out := dataset.metainfo.get('left_out'):
        print(f'\n{left_out}')
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def rank(items: list[dict], encoder: Encoder) -> dict[str, float]:
    """Measure an encoder: all captions as queries, all images as the gallery."""
    captions = [caption for item in items for caption in item['captions']]
    counts = [len(item['captions']) for item in items]
    people = np.array([item['person_id'] for item in items])
    gallery = np.concatenate([
        encoder.encode_images([read_image(item['img_path']) for item in items[start:start + BATCH]])
        for start in range(0, len(items), BATCH)])
    return evaluate_ranking(encoder.encode_texts(captions), np.repeat(people, counts), gallery,
                            people)


def compare_ranking(items: list[dict], encoders: dict[str, Encoder]) -> dict[str, dict]:
    """Print the measures of every encoder, the reference first, and return them.

    Raises:
        BadValue: One loses more than `MAX_R1_LOSS` points of R1.
    """
    print('\n| encoder | R1 | R5 | R10 | mAP |\n| --- | --- | --- | --- | --- |')
    measured = {}
    for name, encoder in encoders.items():
        measures = measured[name] = rank(items, encoder)
        print(f'| {name} |', *(f'{measures[key]:.2f} |' for key in ('R1', 'R5', 'R10', 'mAP')),
              flush=True)
    reference = next(iter(measured.values()))['R1']
    losses = {name: reference - measures['R1'] for name, measures in measured.items()}
    worse = [f'{name} loses {loss:.2f} points of R1' for name, loss in losses.items()
             if loss > MAX_R1_LOSS]
    if worse:
        raise BadValue(f'{", ".join(worse)}; at most {MAX_R1_LOSS:g} is allowed')
    return measured


def run(args: argparse.Namespace) -> None:
    """Export the model, print the sizes and cosines, and compare the rankings if asked."""
    if args.allow_missing and not args.evaluate:
        raise BadValue('--allow-missing is for the test set of --evaluate')
    if args.model and (args.evaluate or args.cfg_options):
        raise BadValue('--evaluate and --cfg-options need a CONFIG, not --model')
    if args.format != 'onnx' and args.int8:
        raise BadValue(f'--int8 is of --format onnx, not of {args.format}: leave one of them out')
    if args.format != 'onnx' and args.evaluate:
        raise BadValue(f'--evaluate is of --format onnx: a folder for {args.format} has the '
                       'features of torch, or is not written; leave --evaluate out, or name '
                       '--images and --captions to compare on your own')
    check_writable(args.out_dir, folder=True)
    cfg = None if args.model else read_config(args.config, 'model')
    if cfg is not None:
        merge_options(cfg, args.cfg_options)
    if args.allow_missing:
        allow_missing_images(cfg)
    images = read_images(args.images) if args.images else []
    captions = read_captions(args.captions) if args.captions else []
    encoder = TorchEncoder(cfg, weights=args.checkpoint, device='cpu') if cfg is not None else \
        load_encoder(args.model, device='cpu', notify=print_model_notice,
                     **chosen_preprocessing(args))
    if args.format != 'onnx':
        done = export_hub_folder(encoder, args.out_dir, args.format, images, captions)
        print_hub_folder(done, args.out_dir)
        return answer(dict(folder=args.out_dir, format=args.format, files=done['files'],
                           check=done['check']))
    manifest = export_encoder(encoder, args.out_dir, args.int8, images, captions)
    for name, file in manifest['files'].items():
        print(f'{Path(args.out_dir, name)}: {file["bytes"] / 1e6:.1f} MB')
    for precision, cosines in manifest['check'].items():
        print(f'{precision}: least cosine to torch {cosines["images"]:.6f} of images, '
              f'{cosines["captions"]:.6f} of captions')
    ranking = compare_ranking(list_test_items(cfg), dict(torch=encoder, **{
        f'ONNX {precision}': OnnxEncoder(args.out_dir, precision)
        for precision in manifest['check']})) if args.evaluate else None
    answer(dict(folder=args.out_dir, format=args.format, files=manifest['files'],
                check=manifest['check'], ranking=ranking))


def print_hub_folder(done: dict, out_dir: str) -> None:
    """Print the files of a folder for another library, and how far its features are from ours."""
    for name, file in done['files'].items():
        print(f'{Path(out_dir, name)}: {file["bytes"] / 1e6:.1f} MB')
    check = done['check']
    print(f'largest difference of features: {check["images"]:.2g} of images, '
          f'{check["captions"]:.2g} of captions')
    if done['resized_positions']:
        print('its pictures are no squares: give interpolate_pos_encoding=True with pictures, as '
              f'{Path(out_dir, "README.md")} shows')
