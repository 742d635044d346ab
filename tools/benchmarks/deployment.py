"""Deployment: one image or caption by torch, by ONNX Runtime, and by it with 8-bit weights.

All towers have random weights: those of the paper (ViT-B/16 at 384 x 128 in steps of 12; BERT-base,
captions of 64 tokens) and of CLIP-B/16 (384 x 128; captions of 77 tokens). The runtimes take turns,
so that a busy machine is busy for all of them; the fastest run of each counts. The least cosine is
that to the features of torch.

Models of the catalog (``--models catalog``, or their titles) run by torch alone, one image and one
sentence of the longest length each, at the size that their library builds; the MB are those of both
towers. Rows that differ in their weights alone are measured once. Each model has a process of its
own, so that the memory holds one at a time.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config

from mmtbps.catalog import CatalogModel, list_models
from mmtbps.errors import BadValue, UserError
from mmtbps.registry import MODELS
from mmtbps.search.encoders.graph_encoder import open_graph
from mmtbps.search.encoders.onnx_encoder import graph_file
from mmtbps.search.encoders.onnx_export import (
    ImageTower,
    TextTower,
    export_graphs,
    least_cosine,
    quantize_graphs,
    random_images,
)

from .catalog_models import architecture, build

CONFIGS = Path(__file__).parents[2] / 'configs'
BATCHES = (1, 8)


class Model(NamedTuple):
    """A model whose towers are measured.

    Args:
        config: below ``configs``.
        vocabulary: of the text tower.
        length: tokens of a caption.
        size: (height, width) of a picture.
        image: settings of the image tower that differ from the config's.
        text: settings of the text tower; of BERT, its ``config``.
    """

    config: str
    vocabulary: int
    length: int
    size: tuple[int, int] = (384, 128)
    image: dict = {}
    text: dict = {}


TINY_VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
TINY_BERT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
TINY_CLIP = dict(width=16, depth=2, heads=2)
# The vocabulary of bert-base-uncased; every other size of BERT-base is transformers' default.
VIT_BERT = Model('tbps/vit_bert_base_cuhk.py', 30522, 64)
CLIP = Model('clip/clip_b16_itc_cuhk.py', 49408, 77)
SIZES = {
    'full': dict(vit_bert=VIT_BERT, clip=CLIP),
    'tiny': dict(
        vit_bert=VIT_BERT._replace(length=8, size=(48, 16), text=TINY_BERT,
                                   image=dict(arch=TINY_VIT, img_size=(48, 16))),
        clip=CLIP._replace(length=8, size=(48, 16), text=TINY_CLIP,
                           image=dict(img_size=(48, 16), **TINY_CLIP))),
}

CATALOG = {model.title: model for model in list_models()}
#: Parameters of the largest model of the catalog that is measured.
LARGEST = 10 ** 9

Encode = Callable[[dict[str, np.ndarray]], np.ndarray]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--models', nargs='+', metavar='MODEL', default=list(SIZES['full']),
                        choices=[*SIZES['full'], 'catalog', *CATALOG],
                        help='vit_bert (ViT-B/16 with BERT-base), clip (CLIP-B/16), titles of '
                             'mmtbps models, catalog for all of those (default: vit_bert clip)')
    parser.add_argument('--size', choices=SIZES, default='full',
                        help='of all towers; tiny is for a quick look, of the catalog one layer a '
                             'tower (default: full)')
    parser.add_argument('--runs', type=int, default=5, help='the fastest counts (default: 5)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every model, tower, batch and runtime."""
    torch.set_num_threads(args.threads)
    names = list(CATALOG) if 'catalog' in args.models else args.models
    rows = [row for name in args.models if name in SIZES[args.size]
            for row in measure(name, SIZES[args.size][name], args)]
    rows += measure_catalog([CATALOG[name] for name in names if name in CATALOG], args)
    if not rows:
        raise BadValue('every model that was asked for is left out')
    return rows


def measure_catalog(models: Sequence[CatalogModel], args: argparse.Namespace) -> list[dict]:
    """Measure models of the catalog one after the other, and say which are left out and why."""
    measured, rows = {}, []
    for model in models:
        print(f'{model.title} ...', file=sys.stderr, flush=True)
        try:
            if model.parameters > LARGEST:
                raise BadValue(f'it has over {LARGEST / 1e9:g} billion parameters')
            if architecture(model) not in measured:
                with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as own_process:
                    measured[architecture(model)] = own_process.submit(
                        measure_model, model.title, args.threads, args.runs,
                        1 if args.size == 'tiny' else None).result()
            rows += [{**row, 'model': model.title} for row in measured[architecture(model)]]
        except UserError as error:
            print(f'{model.title} is left out: {error}', file=sys.stderr, flush=True)
    return rows


def measure_model(title: str, threads: int, runs: int, layers: int | None) -> list[dict]:
    """Measure both towers of a model of the catalog, in this process."""
    torch.set_num_threads(threads)
    model, rows = build(CATALOG[title], layers=layers), []
    size = sum(weight.nbytes for weight in model.network.parameters())
    for tower, encode in model.encode.items():
        inputs = {name: values.numpy() for name, values in model.inputs[tower].items()}
        rows += compare({'torch fp32': in_torch(encode)}, inputs, runs,
                        dict(model=title, tower=tower, batch=1), [size])
    return rows


def measure(name: str, sizes: Model, args: argparse.Namespace) -> list[dict]:
    """Measure the towers of one model."""
    model, rows = build_model(sizes), []
    inputs = dict(image=image_inputs(*sizes.size), text=text_inputs(sizes))
    with tempfile.TemporaryDirectory() as folder:
        print(f'{name}, exporting ...', file=sys.stderr, flush=True)
        export_graphs(model, sizes.size, folder)
        quantize_graphs(folder)
        for tower, module in (('image', ImageTower(model)), ('text', TextTower(model))):
            parts = [getattr(model, f'{tower}_{part}') for part in ('backbone', 'neck')]
            in_bytes = [sum(weight.nbytes for part in parts for weight in part.parameters())]
            runtimes: dict[str, Encode] = {'torch fp32': in_torch(module)}
            for precision in ('fp32', 'int8'):
                graph = Path(folder, graph_file(tower, precision))
                runtimes[f'ONNX Runtime {precision}'] = in_onnx(graph, args.threads)
                in_bytes.append(graph.stat().st_size)
            for batch in BATCHES:
                print(f'{name}, {tower}, batch {batch} ...', file=sys.stderr, flush=True)
                some = {key: values[:batch] for key, values in inputs[tower].items()}
                rows += compare(runtimes, some, args.runs,
                                dict(model=name, tower=tower, batch=batch), in_bytes)
    return rows


def build_model(sizes: Model) -> torch.nn.Module:
    """Build the config's model with random weights, without the files it starts from."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / sizes.config)
    cfg.model.image_backbone.update(init_cfg=None, **sizes.image)
    if cfg.model.text_backbone.pop('model', None):
        cfg.model.text_backbone.config = dict(vocab_size=sizes.vocabulary, **sizes.text)
    else:
        cfg.model.text_backbone.update(sizes.text)
    return MODELS.build(cfg.model).eval()


def image_inputs(height: int, width: int) -> dict[str, np.ndarray]:
    """Draw pictures for the largest batch."""
    return dict(images=np.stack([np.asarray(image.resize((width, height)))
                                 for image in random_images(max(BATCHES))]))


def text_inputs(sizes: Model) -> dict[str, np.ndarray]:
    """Draw captions for the largest batch, all of full length.

    The last token has the largest id, which is the end token of CLIP.
    """
    ids = np.random.default_rng(0).integers(1000, sizes.vocabulary - 1,
                                            (max(BATCHES), sizes.length))
    ids[:, -1] = sizes.vocabulary - 1
    return dict(input_ids=ids, attention_mask=np.ones(ids.shape, bool))


def in_torch(module: Callable[..., torch.Tensor]) -> Encode:
    """Make a function of arrays from a tower."""

    @torch.inference_mode()
    def encode(inputs: dict[str, np.ndarray]) -> np.ndarray:
        return module(**{name: torch.from_numpy(values)
                         for name, values in inputs.items()}).numpy()

    return encode


def in_onnx(path: Path, threads: int) -> Encode:
    """Make a function of arrays from an exported tower."""
    session = open_graph(path, threads)
    return lambda inputs: session.run(None, inputs)[0]


def compare(runtimes: dict[str, Encode], inputs: dict[str, np.ndarray], runs: int, labels: dict,
            sizes: list[int]) -> list[dict]:
    """Measure each runtime in a row; the first runtime is the measure of the others."""
    features = {name: encode(inputs) for name, encode in runtimes.items()}  # and warm up
    cpu, wall = ({name: [] for name in runtimes} for _ in range(2))
    for _ in range(runs):
        for name, encode in runtimes.items():
            started = time.process_time(), time.perf_counter()
            encode(inputs)
            cpu[name].append(time.process_time() - started[0])
            wall[name].append(time.perf_counter() - started[1])
    first, count = next(iter(runtimes)), len(next(iter(inputs.values())))
    return [{**labels, 'runtime': name,
             'CPU ms an input': round(1000 * min(cpu[name]) / count, 2),
             'ms an input': round(1000 * min(wall[name]) / count, 2),
             'inputs a second': round(count / min(wall[name]), 1),
             'times faster': round(min(cpu[first]) / min(cpu[name]), 2),
             'least cosine': least_cosine(features[first], features[name]),
             'MB': round(size / 1e6, 1)} for name, size in zip(runtimes, sizes, strict=True)]
