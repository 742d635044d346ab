"""Search: cost and misses of the three kinds of galleries, on the same features.

The features are drawn so that people overlap and text queries lie apart from all images, which is
hard for an index (`tools/benchmarks/gallery_features.py`). Recall@10 is the share of the exact ten
nearest entries that were found: by image, by text, and by text among the entries of one camera of
15. Every gallery is filled by one process and searched, one query after another, by a new one; its
peak memory is the growth beyond the imports. What a server holds at the end is added.
"""

import argparse
import contextlib
import importlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.search.galleries import GalleryEntry, open_gallery

from .gallery_features import CAMERAS, Features, draw_features, exact_neighbours, recall
from .milvus_server import milvus_server

PACKAGES = {'memory': 'safetensors', 'lance': 'lancedb', 'milvus': 'pymilvus'}
TOPK, CAMERA = 10, 3
WHERE = {'camera': f'c{CAMERA}'}
BATCH = 1_000
CAPTION_TOKENS = 32


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--sizes', nargs='+', type=int, default=[10_000, 100_000],
                        help='entries of a gallery (default: 10000 100000)')
    parser.add_argument('--backends', nargs='+', choices=PACKAGES, default=list(PACKAGES),
                        help='kinds of galleries (default: all); milvus starts a Milvus Lite '
                             'server of its own')
    parser.add_argument('--width', type=int, default=768, help='feature width (default: 768)')
    parser.add_argument('--queries', type=int, default=100, help='of each kind (default: 100)')
    parser.add_argument('--text', action='store_true',
                        help='also from the sentence on: a text tower of BERT-base size (random '
                             f'weights, {CAPTION_TOKENS} tokens) encodes each query')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every kind of gallery at each size."""
    rows = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            features = draw_features(size, args.width, args.queries)
            for name, values in features._asdict().items():
                np.save(folder / f'{name}.npy', values)
            exact = {'image': exact_neighbours(features, features.images, TOPK),
                     'text': exact_neighbours(features, features.texts, TOPK),
                     'filtered': exact_neighbours(features, features.texts, TOPK, CAMERA)}
            del features
            for backend in args.backends:
                print(f'{size:,} entries: {backend} ...', file=sys.stderr, flush=True)
                rows.append(measure(backend, size, folder, exact, args))
                print(rows[-1], file=sys.stderr, flush=True)  # should a later one be stopped
    return rows


def measure(backend: str, size: int, folder: Path, exact: dict[str, list[set[int]]],
            args: argparse.Namespace) -> dict:
    """Fill a gallery, then search it; make one row of the table."""
    place = folder / 'galleries' / backend
    place.mkdir(parents=True)
    with serving(backend, place) as (uri, server):
        before = memory_of(server)['VmRSS'] if server else 0
        filled = in_own_process(fill, uri, folder, args.threads)
        done = in_own_process(search, backend, uri, folder, args.threads, args.text)
        grown = memory_of(server)['VmRSS'] - before if server else 0
    disk = sum(path.stat().st_size for path in place.rglob('*') if path.is_file())
    shutil.rmtree(place)
    milliseconds = {kind: np.array(times) * 1e3 for kind, times in done['seconds'].items()}
    row = {'entries': f'{size:,}', 'gallery': backend, 'index': done['index'],
           'fill (s)': round(filled['fill'], 1), 'optimize (s)': round(filled['optimize'], 1),
           'open and first query (s)': round(done['first'], 2),
           **{f'{kind} p50 (ms)': round(float(np.median(times)), 1)
              for kind, times in milliseconds.items()},
           **{f'{kind} recall@10': round(recall(done['found'][kind], exact[kind]), 4)
              for kind in exact},
           'peak memory (MB)': round((done['memory'] + grown) / 1e6),
           'disk (MB)': round(disk / 1e6)}
    if args.text:
        row['sentences/s'] = round(done['sentences'], 1)
    return row


@contextlib.contextmanager
def serving(backend: str, place: Path) -> Iterator[tuple[str, int | None]]:
    """Yield the address of the gallery, and the process id of its server if it has one."""
    if backend == 'milvus':
        with milvus_server(place) as (address, server):
            yield f'{address}/people', server.pid
    else:
        yield str(place / ('people.lance' if backend == 'lance' else 'people')), None


def in_own_process(work: Callable[..., dict], *args: Any) -> dict:
    """Call a function where nothing else has used memory; a fork, as all is imported here."""
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as own_process:
        return own_process.submit(work, *args).result()


def load(folder: Path, threads: int) -> Features:
    """Load the features, in a process that is to use so many threads."""
    import torch
    torch.set_num_threads(threads)
    return Features(*(np.load(folder / f'{name}.npy', mmap_mode='r') for name in Features._fields))


def fill(uri: str, folder: Path, threads: int) -> dict:
    """Fill and optimise a gallery; return the seconds of each."""
    vectors, begin = load(folder, threads).gallery, time.perf_counter()
    gallery = open_gallery(uri, dict(model='0' * 64, pipeline='0' * 64, dim=vectors.shape[1]))
    for start in range(0, len(vectors), BATCH):
        rows = range(start, min(start + BATCH, len(vectors)))
        gallery.upsert([GalleryEntry(str(i), f'camera/{i:07}.jpg', 50_000, f'{i:064x}',
                                     camera=f'c{i % CAMERAS}', time=float(i)) for i in rows],
                       vectors[rows.start:rows.stop])
    filled = time.perf_counter()
    gallery.optimize()
    return dict(fill=filled - begin, optimize=time.perf_counter() - filled)


def search(backend: str, uri: str, folder: Path, threads: int, text: bool) -> dict:
    """Search for every query; return answers, seconds, and the cost of opening the gallery."""
    features = load(folder, threads)
    images, texts = np.array(features.images), np.array(features.texts)
    importlib.import_module(PACKAGES[backend])
    before, begin = memory_of()['VmRSS'], time.perf_counter()
    gallery = open_gallery(uri)
    gallery.search(images[:1], TOPK)
    first = time.perf_counter() - begin
    seconds, found = {}, {}
    for kind, queries, where in (('image', images, None), ('text', texts, None),
                                 ('filtered', texts, WHERE)):
        seconds[kind], found[kind] = [], []
        for query in queries:
            begin = time.perf_counter()
            hits = gallery.search(query[None], TOPK, where)[0]
            seconds[kind].append(time.perf_counter() - begin)
            found[kind].append([int(hit.entry.id) for hit in hits])
    result = dict(first=first, seconds=seconds, found=found, index=gallery.info()['index'],
                  memory=memory_of()['VmHWM'] - before)
    if text:
        result['sentences'] = sentences_per_second(gallery, len(texts))
    return result


def sentences_per_second(gallery: Any, count: int) -> float:
    """Encode sentences and search for them, one after another."""
    import torch

    from mmtbps.models.backbones.bert import BERTBackbone
    torch.manual_seed(0)
    tower = BERTBackbone(config=dict(model_type='bert')).eval()  # transformers' default is base
    tokens = torch.randint(1_000, 30_000, (count + 1, 1, CAPTION_TOKENS))
    mask = torch.ones(1, CAPTION_TOKENS, dtype=torch.bool)
    begin = 0.
    with torch.inference_mode():
        for i, sentence in enumerate(tokens):
            if i == 1:  # the first warms up
                begin = time.perf_counter()
            feature = tower(sentence, mask)[:, :gallery.dim]
            gallery.search(torch.nn.functional.normalize(feature).numpy(), TOPK)
    return count / (time.perf_counter() - begin)


def memory_of(process: int | None = None) -> dict[str, int]:
    """Read the bytes that a process holds now (VmRSS) and held at most (VmHWM)."""
    text = Path(f'/proc/{process or "self"}/status').read_text(encoding='utf-8')
    fields = dict(line.split(':', 1) for line in text.splitlines())
    return {name: int(fields[name].split()[0]) * 1024 for name in ('VmRSS', 'VmHWM')}
