"""Answers: cost of presence and of phrase marks beside a plain search, on the same gallery.

Features are random and 512 numbers wide; so is the calibration, whose values do not change the
work. A query is a feature, not a sentence: what a text tower takes is not counted, but named in a
row of its own for the opposites of a sentence with four phrases, which are encoded once. Times are
medians of processor time over the queries, one after another, after the first two.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.evaluation.presence import PresenceCalibration
from mmtbps.evaluation.presence.best_of import PowerLaw, StrangerLaw
from mmtbps.evaluation.presence.calibration import Curve
from mmtbps.evaluation.presence.split_normal import SplitNormal
from mmtbps.search.answers import PhraseChecker, PresenceEstimator, Wishes
from mmtbps.search.answers.answering import Answerer, Asked
from mmtbps.search.galleries import BaseGallery, GalleryEntry, open_gallery

DIM, TOPK, BANK = 512, 10, 128
FINGERPRINT = dict(model='random', dim=DIM)
SENTENCE = 'a woman in a red coat and blue jeans with a black backpack'
_AT_A_TIME = 5_000


class RandomEncoder:
    """Encoder of any text as a random feature, and a counter of the texts."""

    dim, fingerprint = DIM, FINGERPRINT

    def __init__(self) -> None:
        self.encoded = 0

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Draw a feature of each text."""
        self.encoded += len(texts)
        return _unit(np.random.default_rng(self.encoded).normal(size=(len(texts), DIM)))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--size', type=int, default=20_000,
                        help='entries of the gallery (default: %(default)s)')
    parser.add_argument('--queries', type=int, default=60, help='default: %(default)s')
    parser.add_argument('--backends', nargs='+', choices=('memory', 'lance'),
                        default=['memory', 'lance'], help='kinds of galleries (default: all)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure each kind of gallery, with a filter and without."""
    draw = np.random.default_rng(0)
    features = _unit(draw.normal(size=(args.size, DIM)))
    queries = _unit(draw.normal(size=(max(4, args.queries), DIM)))
    bank = _unit(draw.normal(size=(BANK, DIM)))
    rows = []
    for backend in args.backends:
        with tempfile.TemporaryDirectory() as folder:
            gallery = fill(Path(folder, 'people.lance' if backend == 'lance' else 'people'),
                           features)
            for where in (None, {'camera': 'c1'}):
                times, encoded = measure(gallery, queries, bank, where)
                rows.append(word(f'{backend}, {args.size:,} entries', where, times, encoded))
    return rows


def fill(address: Path, features: np.ndarray) -> BaseGallery:
    """Make a gallery of four cameras."""
    gallery = open_gallery(address, FINGERPRINT)
    for start in range(0, len(features), _AT_A_TIME):
        part = features[start:start + _AT_A_TIME]
        gallery.upsert([GalleryEntry(str(i), f'{i}.jpg', camera=f'c{i % 4}', size=9,
                                     sha256=f'{i:064x}')
                        for i in range(start, start + len(part))], part)
    return gallery


def measure(gallery: BaseGallery, queries: np.ndarray, bank: np.ndarray,
            where: Mapping[str, Any] | None) -> tuple[dict[str, float], int]:
    """Time the ways to answer in turns; return milliseconds, and the texts that marks encoded."""
    encoder = RandomEncoder()
    checker = PhraseChecker(encoder)
    presence = PresenceEstimator(gallery, calibration(bank))
    ways: dict[str, Callable] = {
        'plain': _ask(Answerer(gallery, checker, None), Wishes(), where),
        'presence': _ask(Answerer(gallery, checker, None, estimator=presence), Wishes(), where),
        'marks': _ask(Answerer(gallery, checker, None), Wishes(mark=True), where),
        'both': _ask(Answerer(gallery, checker, None, estimator=presence), Wishes(mark=True),
                     where)}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for query in queries:
        for name, way in ways.items():
            start = time.process_time()
            way(query)
            spent[name].append(time.process_time() - start)
    return {name: 1e3 * float(np.median(each[2:])) for name, each in spent.items()
            }, encoder.encoded


def calibration(bank: np.ndarray) -> PresenceCalibration:
    """Make a calibration of the usual shape."""
    return PresenceCalibration(
        np.array([2., .1, .5, .1, .5]), SplitNormal(15., 3., 2.5),
        StrangerLaw(PowerLaw(17., 18., .2), PowerLaw(1.2, -3., .4, .8), .6), Curve(.9, 0.),
        (1., 0., 0.), bank, (0., .05), .5, FINGERPRINT)


def word(name: str, where: Mapping[str, Any] | None, times: Mapping[str, float],
         encoded: int) -> dict[str, str]:
    """Word the costs as shares of the plain search."""
    plain = times['plain']
    return {'gallery': name, 'filter': 'one camera of four' if where else 'none',
            'plain, ms': f'{plain:.2f}',
            **{f'{way} adds': f'{times[way] - plain:+.2f} ms ({times[way] / plain - 1:+.2f}x)'
               for way in ('presence', 'marks', 'both')},
            'texts encoded once': str(encoded)}


def _ask(answerer: Answerer, wishes: Wishes, where: Mapping[str, Any] | None) -> Callable:
    return lambda query: answerer([Asked(SENTENCE, SENTENCE, SENTENCE)], query[None], wishes,
                                  topk=TOPK, where=where)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
