"""Deployment: one image or caption by torch, by ONNX Runtime, and by it with 8-bit weights.

Both towers have the paper's size (ViT-B/16 at 384 x 128 in steps of 12; BERT-base, captions of 64
tokens) and random weights. The runtimes take turns, so that a busy machine is busy for all of them;
the fastest run of each counts. The least cosine is that to the features of torch.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

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

CONFIG = Path(__file__).parents[2] / 'configs' / 'tbps' / 'vit_bert_base_cuhk.py'
BATCHES = (1, 8)
TINY_VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
TINY_BERT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
# What differs from the config: image tower, text tower, (height, width), tokens of a caption.
SIZES = {'paper': ({}, {}, (384, 128), 64),
         'tiny': (dict(arch=TINY_VIT, img_size=(48, 16)), TINY_BERT, (48, 16), 8)}
VOCABULARY = 30522  # of bert-base-uncased; every other size of BERT-base is transformers' default

Encode = Callable[[dict[str, np.ndarray]], np.ndarray]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--size', choices=SIZES, default='paper',
                        help='of both towers; tiny is for a quick look (default: paper)')
    parser.add_argument('--runs', type=int, default=5, help='the fastest counts (default: 5)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every tower, batch and runtime."""
    torch.set_num_threads(args.threads)
    _, _, (height, width), length = SIZES[args.size]
    model = build_model(args.size)
    inputs = dict(image=image_inputs(height, width), text=text_inputs(length))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        print('exporting ...', file=sys.stderr, flush=True)
        export_graphs(model, (height, width), folder)
        quantize_graphs(folder)
        for tower, module in (('image', ImageTower(model)), ('text', TextTower(model))):
            sizes = [sum(weight.nbytes for weight in getattr(
                model, f'{tower}_backbone').parameters())]
            runtimes: dict[str, Encode] = {'torch fp32': in_torch(module)}
            for precision in ('fp32', 'int8'):
                graph = Path(folder, graph_file(tower, precision))
                runtimes[f'ONNX Runtime {precision}'] = in_onnx(graph, args.threads)
                sizes.append(graph.stat().st_size)
            for batch in BATCHES:
                print(f'{tower}, batch {batch} ...', file=sys.stderr, flush=True)
                some = {name: values[:batch] for name, values in inputs[tower].items()}
                rows += compare(runtimes, some, args.runs, dict(tower=tower, batch=batch), sizes)
    return rows


def build_model(size: str) -> torch.nn.Module:
    """Build the config's model with random weights, without the files it starts from."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG)
    vit, bert, _, _ = SIZES[size]
    cfg.model.image_backbone.update(init_cfg=None, **vit)
    cfg.model.text_backbone.pop('model')
    cfg.model.text_backbone.config = dict(vocab_size=VOCABULARY, **bert)
    return MODELS.build(cfg.model).eval()


def image_inputs(height: int, width: int) -> dict[str, np.ndarray]:
    """Draw pictures for the largest batch."""
    return dict(images=np.stack([np.asarray(image.resize((width, height)))
                                 for image in random_images(max(BATCHES))]))


def text_inputs(length: int) -> dict[str, np.ndarray]:
    """Draw captions for the largest batch, all of full length."""
    ids = np.random.default_rng(0).integers(1000, VOCABULARY, (max(BATCHES), length))
    return dict(input_ids=ids, attention_mask=np.ones(ids.shape, bool))


def in_torch(module: torch.nn.Module) -> Encode:
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
             'times faster': round(min(cpu[first]) / min(cpu[name]), 2),
             'least cosine': least_cosine(features[first], features[name]),
             'MB': round(size / 1e6, 1)} for name, size in zip(runtimes, sizes, strict=True)]
