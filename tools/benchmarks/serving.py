"""Serving: questions a second of a page, and their times, by number of clients.

The page runs in a process of its own, with a CLIP-B/16 of random weights and a gallery of drawn
features. Clients ask its endpoint ``/search`` over HTTP, each its next question when it has the
answer to the last. They run here: **the load shares the cores with the page.** *One by one*: each
sentence is a run of the text tower; *in one batch*: those of the clients that wait are one run, up
to 16. Every answer is compared with that of one sentence in torch: *same first* is the share whose
best hit is equal.
"""

import argparse
import contextlib
import http.client
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mmtbps.search import TextToPersonInferencer
from mmtbps.search.encoders.onnx_export import export_encoder
from mmtbps.search.encoders.pretrained_encoder import PretrainedEncoder
from mmtbps.search.galleries import GalleryEntry, open_gallery

from .index import SIZES, save_random_clip
from .milvus_server import free_port
from .own_process import as_process

__all__ = ['add_options', 'load', 'percentile', 'row_of', 'run', 'sentences']

BATCH, TOPK = 16, 10
RUNTIMES = ('torch', 'int8')
_PEOPLE = ('a woman', 'a man', 'a girl', 'an old man')
_CLOTHES = ('a red coat', 'a blue jacket', 'a long white dress', 'a striped shirt')
_REST = ('black trousers and white shoes', 'jeans, who carries a brown bag on the left shoulder',
         'grey shorts and a backpack', 'a dark skirt, and has long fair hair')


class Answer(NamedTuple):
    """An answer that a client has got: when, after how long, and the id of its first hit."""

    sentence: str
    at: float
    seconds: float
    first: str | None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--clients', nargs='+', type=int, default=[1, 8, 64],
                        help='that ask at a time (default: 1 8 64)')
    parser.add_argument('--runtimes', nargs='+', choices=RUNTIMES, default=list(RUNTIMES),
                        help='of the text tower (default: both)')
    parser.add_argument('--entries', type=int, default=10_000,
                        help='of the gallery, in memory (default: 10000)')
    parser.add_argument('--seconds', type=float, default=10,
                        help='of each row, after a warm-up of a fifth (default: 10)')
    parser.add_argument('--size', choices=SIZES, default='b16',
                        help='of the random CLIP (default: b16)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every runtime, way and number of clients."""
    torch.set_num_threads(args.threads)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models, expected = prepare(folder, args)
        for runtime in args.runtimes:
            for way, batch in (('one by one', 1), ('in one batch', BATCH)):
                with page(models[runtime], runtime, batch, folder / 'people',
                          args.threads) as port:
                    for clients in args.clients:
                        answers = load(port, clients, args.seconds)
                        rows.append(row_of(answers, args.seconds, expected, dict(
                            runtime=runtime, sentences=way, clients=clients)))
                        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def prepare(folder: Path, args: argparse.Namespace) -> tuple[dict[str, Path], dict[str, str]]:
    """Write models and gallery; return the models, and the best hit of each sentence alone."""
    save_random_clip(folder / 'clip', args.size)
    encoder = PretrainedEncoder(str(folder / 'clip'), 'cpu', 1, aspect='letterbox')
    models = dict(torch=folder / 'clip', int8=folder / 'exported')
    if 'int8' in args.runtimes:
        export_encoder(encoder, models['int8'], int8=True)
    features = np.random.default_rng(0).standard_normal((args.entries, encoder.dim), np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    with open_gallery(folder / 'people', encoder.fingerprint) as gallery:
        gallery.upsert([GalleryEntry(str(i), f'{i}.jpg', camera=f'c{i % 15}')
                        for i in range(args.entries)], features)
        searcher = TextToPersonInferencer(encoder, gallery=gallery)
        return models, {text: searcher([text], topk=1)[0].hits[0].entry.id
                        for text in sentences()}


def sentences() -> list[str]:
    """List descriptions of people, all different."""
    return [f'{who} in {upper}, {lower}'
            for who in _PEOPLE for upper in _CLOTHES for lower in _REST]


@contextlib.contextmanager
def page(model: Path, runtime: str, batch: int, gallery: Path, threads: int) -> Iterator[int]:
    """Start the page, wait for it, yield its port, and end it."""
    port = free_port()
    process = subprocess.Popen(stdout=subprocess.DEVNULL, **as_process(
        'serving_page', model, runtime, batch, gallery, port, threads))
    try:
        end = time.monotonic() + 180
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f'the page does not start (exit code {process.poll()})')
            time.sleep(.2)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
    try:
        connection.request('GET', '/readyz')
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def load(port: int, clients: int, seconds: float) -> list[Answer]:
    """Ask by several clients at a time; return the answers after the warm-up.

    Raises:
        RuntimeError: A question was not answered.
    """
    answers: list[Answer] = []
    errors: list[Exception] = []
    warm = time.monotonic() + seconds / 5
    end, texts = warm + seconds, sentences()

    def ask(number: int) -> None:
        turn = number * len(texts) // clients
        try:
            while (begin := time.monotonic()) < end:
                text, turn = texts[turn % len(texts)], turn + 1
                hits = search(port, f'c{number}-{turn}', text)
                now = time.monotonic()
                answers.append(Answer(text, now, now - begin, hits[0]['id'] if hits else None))
        except Exception as error:  # of any kind: told to the caller
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(number, )) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(f'{len(errors)} of {clients} clients got no answer: {errors[0]!r}')
    return [answer for answer in answers if warm <= answer.at <= end]


def search(port: int, session: str, text: str) -> list[dict]:
    """Ask the endpoint ``/search`` as Gradio's own clients do: join the queue, read the events."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=120)
    try:
        connection.request('POST', '/gradio_api/queue/join', json.dumps(dict(
            data=[text, TOPK, None, '', '', ''], fn_index=_endpoint(port), session_hash=session)),
            {'Content-Type': 'application/json'})
        reply = connection.getresponse()
        if reply.read() is None or reply.status != 200:
            raise RuntimeError(f'the page answers {reply.status}')
        connection.request('GET', f'/gradio_api/queue/data?session_hash={session}')
        for line in connection.getresponse():
            said = json.loads(line[5:]) if line.startswith(b'data:') else {}
            if said.get('msg') == 'process_completed':
                if not said['success']:
                    raise RuntimeError(f'the page refuses: {said["output"]}')
                return said['output']['data'][0]
        raise RuntimeError('the page ended the connection')
    finally:
        connection.close()


_ENDPOINTS: dict[int, int] = {}


def _endpoint(port: int) -> int:
    """Find the number of the endpoint ``/search``."""
    if port not in _ENDPOINTS:
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        connection.request('GET', '/config')
        config = json.loads(connection.getresponse().read())
        connection.close()
        _ENDPOINTS[port] = next(event['id'] for event in config['dependencies']
                                if event['api_name'] == 'search')
    return _ENDPOINTS[port]


def row_of(answers: Sequence[Answer], seconds: float, expected: dict[str, str],
           labels: dict) -> dict:
    """Make a row of the table."""
    times = [answer.seconds for answer in answers]
    return {**labels, 'answers a second': round(len(times) / seconds, 1),
            **{f'p{share} (ms)': round(1e3 * percentile(times, share)) for share in (50, 99)},
            'same first': round(sum(answer.first == expected[answer.sentence]
                                    for answer in answers) / max(len(answers), 1), 3)}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least of the values that is no smaller than so many percent of them.

    Example:
        >>> percentile([4, 1, 3, 2], 50), percentile([4, 1, 3, 2], 99), percentile([], 50)
        (2, 4, nan)
    """
    if not len(values):
        return math.nan
    return sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1]
