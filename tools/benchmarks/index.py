"""Index: a whole folder of photographs into a gallery, against a plain loop over transformers.

A random CLIP (of its full size with `--size b16`) is saved to a folder. The plain loop
(`tools/benchmarks/plain_index.py`) opens a batch of files with Pillow, calls the model's own
processor and `get_image_features`, and saves one numpy file. Ours is `index_people`: it finds,
reads and hashes the files, decodes, encodes, and stores entries and features in a gallery on disk.
With `aspect='processor'` both have the same features, or the command fails. The rows of ONNX
Runtime letterbox crops, as is the default for people; CLIP's own processor, which cuts them, cannot
be exported. Their features are compared with those of torch on the first pictures.

The clock runs from a loaded model to the stored features. Each row runs in a process of its own, in
rounds; the median counts. The photographs are crops of those that ship in installed packages, or
of drawn people where there are none.

Examples:
    mmtbps benchmark index --threads 2
    mmtbps benchmark index --size tiny --images 100 --threads 1
    mmtbps benchmark index --images 300 --rounds 3 --only torch --threads 2
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers

from mmtbps.datasets.transforms import CLIP_TOKENIZER
from mmtbps.pretrained import resolve_pretrained
from mmtbps.search import IndexOptions, index_people
from mmtbps.search.encoders import OnnxEncoder
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.encoders.onnx_export import MIN_COSINE, export_encoder, least_cosine
from mmtbps.search.encoders.pretrained_encoder import PretrainedEncoder
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.media.images import read_image

from .photographs import draw_people, find_photographs, write_photographs
from .plain_index import load_plain, plain_index
from .training_runs import in_own_process

TINY = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
# Settings of the image and of the text tower; all others are transformers' defaults for CLIP.
SIZES = {'b16': (dict(patch_size=16), {}), 'tiny': (dict(TINY, patch_size=16, image_size=64), TINY)}
PLAIN, TORCH, FP32, INT8 = 'plain', 'torch', 'ONNX Runtime fp32', 'ONNX Runtime int8'
SAMPLE = 32  # pictures on which the features of ONNX Runtime are compared


@dataclass(frozen=True)
class Workload:
    """Photographs, model and threads that all rows have in common.

    Args:
        folder: with ``photographs``, ``clip`` and ``exported``; results go there too.
        size: a key of ``SIZES``.
        images: number of photographs.
        threads: of the CPU.
        batch: images at once in the plain loop.
    """

    folder: Path
    size: str
    images: int
    threads: int
    batch: int

    @property
    def files(self) -> list[Path]:
        """The photographs, in order."""
        return sorted((self.folder / 'photographs').iterdir())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--images', type=int, default=2000, help='default: 2000')
    parser.add_argument('--size', choices=SIZES, default='b16',
                        help='of the random CLIP (default: b16)')
    parser.add_argument('--batch', type=int, default=32,
                        help='images at once in the plain loop (default: 32)')
    parser.add_argument('--rounds', type=int, default=1,
                        help='each runs every row once; the median counts (default: 1)')
    parser.add_argument('--only', nargs='+', choices=('torch', 'fp32', 'int8'),
                        default=['torch', 'int8'],
                        help='rows beside plain (default: torch int8)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every row, in rounds."""
    rows = {PLAIN: measure_plain} | {
        name: measure for name, short, measure in (
            (TORCH, 'torch', measure_torch), (FP32, 'fp32', measure_fp32),
            (INT8, 'int8', measure_int8)) if short in args.only}
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        work = Workload(Path(folder), args.size, args.images, args.threads, args.batch)
        print('preparing ...', file=sys.stderr, flush=True)
        in_own_process(prepare, work, bool({'fp32', 'int8'} & set(args.only)))
        rounds = {name: [] for name in rows}
        for number in range(args.rounds):
            for name, measure in rows.items():
                print(f'round {number + 1}: {name} ...', file=sys.stderr, flush=True)
                rounds[name].append(in_own_process(measure, work))
    return table(work, {name: {key: statistics.median(result[key] for result in results)
                               for key in results[0]} for name, results in rounds.items()})


def table(work: Workload, results: dict[str, dict]) -> list[dict]:
    """Lay out what was measured, if the features agree."""
    rows, plain = [], results[PLAIN]
    for name, result in results.items():
        cosine = result.get('cosine', 1.)
        limit = MIN_COSINE['int8' if name == INT8 else 'fp32']
        if not cosine >= limit:  # not a number is no success
            raise SystemExit(f'{name}: its features differ, least cosine {cosine}, at least '
                             f'{limit} is asked')
        rows.append({
            'row': name, 'images/s': round(work.images / result['seconds'], 2),
            'seconds': round(result['seconds'], 2),
            'CPU seconds': round(result['cpu_seconds'], 2),
            'times faster': round(plain['seconds'] / result['seconds'], 2),
            'times less CPU': round(plain['cpu_seconds'] / result['cpu_seconds'], 2),
            'least cosine': cosine})
    return rows


# ------------------------------------------------------------------ preparation
def prepare(work: Workload, exported: bool) -> None:
    """Write photographs, model and, if wanted, its export."""
    torch.set_num_threads(work.threads)
    sources = find_photographs() or draw_people(work.folder / 'drawn')
    write_photographs(work.folder / 'photographs', work.images, sources)
    save_random_clip(work.folder / 'clip', work.size)
    if exported:
        export_encoder(letterboxing(work), work.folder / 'exported', int8=True)


def save_random_clip(folder: Path, size: str) -> None:
    """Save a CLIP of random weights, with processor and tokenizer, as transformers has it."""
    vision, text = SIZES[size]
    torch.manual_seed(0)
    model = transformers.CLIPModel(transformers.CLIPConfig(
        vision_config=vision, text_config=dict(text, eos_token_id=49407, bos_token_id=49406)))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and 'embedding' not in name:  # else all features are alike
                weight.normal_(0, 1.2 * weight[0].numel()**-.5)
    model.save_pretrained(folder)
    side = model.config.vision_config.image_size
    (folder / 'preprocessor_config.json').write_text(json.dumps(dict(
        image_processor_type='CLIPImageProcessor', size=dict(shortest_edge=side),
        crop_size=dict(height=side, width=side))), encoding='utf-8')
    end = '<|endoftext|>'
    transformers.AutoTokenizer.from_pretrained(
        resolve_pretrained(CLIP_TOKENIZER), bos_token='<|startoftext|>', eos_token=end,
        unk_token=end, pad_token=end).save_pretrained(folder)


def letterboxing(work: Workload) -> PretrainedEncoder:
    """The encoder in torch that the rows of ONNX Runtime are compared with."""
    return PretrainedEncoder(str(work.folder / 'clip'), device='cpu', aspect='letterbox')


# ------------------------------------------------------------------ rows
def measure_plain(work: Workload) -> dict:
    """Time of the plain loop."""
    torch.set_num_threads(work.threads)
    model, processor = load_plain(str(work.folder / 'clip'))
    return clocked(lambda: plain_index(model, processor, work.files, work.folder / 'plain.npy',
                                       work.batch))


def measure_torch(work: Workload) -> dict:
    """Time and features of ours in torch, on the pixels of the plain loop."""
    torch.set_num_threads(work.threads)
    encoder = PretrainedEncoder(str(work.folder / 'clip'), device='cpu', aspect='processor')
    return measure_index(work, encoder, np.load(work.folder / 'plain.npy'))


def measure_fp32(work: Workload) -> dict:
    """Time and features of the exported model."""
    return _measure_exported(work, 'fp32')


def measure_int8(work: Workload) -> dict:
    """Time and features of the exported model with 8-bit weights."""
    return _measure_exported(work, 'int8')


def _measure_exported(work: Workload, precision: str) -> dict:
    torch.set_num_threads(work.threads)
    expected = letterboxing(work).encode_images([read_image(path) for path in work.files[:SAMPLE]])
    encoder = OnnxEncoder(work.folder / 'exported', precision, threads=work.threads)
    return measure_index(work, encoder, expected)


def measure_index(work: Workload, encoder: Encoder, expected: np.ndarray) -> dict:
    """Time of a whole index, and the least cosine of its first features to those expected."""
    def index() -> None:
        gallery = open_gallery(uri, encoder.fingerprint)
        index_people(work.folder / 'photographs', gallery, encoder,
                     options=IndexOptions(progress=False))
        gallery.optimize()

    with tempfile.TemporaryDirectory() as folder:
        uri = f'{folder}/people'
        result = clocked(index)
        entries = sorted(open_gallery(uri).entries(), key=lambda entry: entry.path)
        if len(entries) != work.images:
            raise SystemExit(f'{len(entries)} of {work.images} photographs were indexed')
        _, features = open_gallery(uri).get([entry.id for entry in entries[:len(expected)]])
    return result | dict(cosine=least_cosine(expected, features))


def clocked(work: Callable[[], None]) -> dict:
    """Seconds and CPU seconds of some work."""
    start, cpu_start = time.perf_counter(), time.process_time()
    work()
    return dict(seconds=time.perf_counter() - start, cpu_seconds=time.process_time() - cpu_start)
