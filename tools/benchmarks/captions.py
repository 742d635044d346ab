"""Captions in the features of a gallery, true ones and ones that are wrong in some of their words.

It takes a data set of drawn people and a model. The first caption of each test picture goes into
the feature of the picture, its second one is the query, so no sentence is on both sides; then the
same with the queries that `mmtbps draw` writes in a wording that no training caption has. Of the
colors and garments in the captions of the gallery a share is replaced by others of the lexicon,
a color by one of another base, a garment by another for the same part of the body. Beside the whole
gallery stands the harder question for the other pictures of the person, without the one that the
query was written for. The column "alone" ranks by the captions without any picture. Cells are R1 /
mAP in percent, the mean of the draws of wrong words, and the gain in R1 over pictures without captions
with a 95 % interval over people.
"""  # noqa: E501

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, MissingFile
from mmtbps.evaluation import evaluate_ranking
from mmtbps.lexicon.vocabulary import colors, garments
from mmtbps.search import load_encoder
from mmtbps.search.captioning import check_caption_weight, mix_captions
from mmtbps.search.encoders.queries import read_queries
from mmtbps.search.media.images import read_image

_BATCH = 64
_DRAWS = 2000  # of people, for an interval


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--model', required=True, help='folder of a model, hf:NAME or a config')
    parser.add_argument('--weights', help='checkpoint of a config')
    parser.add_argument('--data', type=Path, required=True, help='drawn people: mmtbps draw')
    parser.add_argument('--weight', type=float, nargs='+', default=[0., .1, .3, .5], metavar='W',
                        dest='shares', help='shares of the captions (default: 0 0.1 0.3 0.5)')
    parser.add_argument('--wrong', type=float, nargs='+', default=[0., .1, .3, .5], metavar='P',
                        help='shares of colors and garments that are wrong (default: 0 0.1 0.3 '
                        '0.5)')
    parser.add_argument('--seeds', type=int, default=3, help='draws of the wrong words (default: '
                        '%(default)s)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure one model on one data set."""
    import torch
    torch.set_num_threads(args.threads)
    for share in args.shares:
        check_caption_weight(share)
    if not all(0 <= wrong <= 1 for wrong in args.wrong):
        raise BadValue(f'--wrong is from 0 to 1, got {args.wrong}')
    records = _read(args.data / 'reid_raw.json')
    unseen = _read(args.data / 'unseen_wording.json')
    encoder = load_encoder(args.model, args.weights, device='cpu')
    images = np.concatenate([encoder.encode_images([
        read_image(args.data / 'imgs' / record['file_path']) for record in part])
        for part in _parts(records)])
    people = np.array([record['id'] for record in records])
    asked = {'second caption': encode(encoder, [one['captions'][1] for one in records]),
             'unseen wording': encode(encoder, [one['captions'][1] for one in unseen])}
    rows = []
    for wrong in args.wrong:
        captions = [record['captions'][0] for record in records]
        told = [wrong_captions(captions, wrong, seed)
                for seed in range(args.seeds if wrong else 1)]
        held = [encode(encoder, texts) for texts, _ in told]
        replaced = f'{np.mean([share for _, share in told]):.0%}'
        rows += [dict(queries=name, among='other pictures' if other else 'all pictures',
                      wrong=replaced, **measure(queries, images, held, people, args.shares, other))
                 for name, queries in asked.items() for other in (False, True)]
    return sorted(rows, key=lambda row: (row['queries'], row['among']))


def measure(queries: np.ndarray, images: np.ndarray, captions: Sequence[np.ndarray],
            people: np.ndarray, shares: Sequence[float], other: bool) -> dict[str, str]:
    """Word R1 / mAP for each share of the captions, and of the captions alone.

    Args:
        queries: ``(N, D)``, one a picture.
        images: ``(N, D)``.
        captions: Of each draw ``(N, D)``.
        people: ``(N,)`` ids.
        shares: Of the captions.
        other: Leave the query's own picture out.
    """
    galleries = {f'w = {share:g}': [mix_captions(images, one, share) for one in captions]
                 for share in shares}
    plain = first_right(queries, images, people, other)
    return {name: _word(np.array([rank(queries, gallery, people, other) for gallery in several]),
                        np.mean([first_right(queries, gallery, people, other)
                                 for gallery in several], axis=0) - plain, people)
            for name, several in {**galleries, 'alone': captions}.items()}


def rank(queries: np.ndarray, gallery: np.ndarray, people: np.ndarray,
         other: bool) -> tuple[float, float]:
    """Return R1 and mAP in percent of one query a picture."""
    places = np.arange(len(people))
    found = evaluate_ranking(queries, people, gallery, people, query_images=places,
                             gallery_images=places, cross_image_only=other)
    return found['R1'], found['mAP']


def first_right(queries: np.ndarray, gallery: np.ndarray, people: np.ndarray,
                other: bool) -> np.ndarray:
    """Return ``(N,)``: 1 where the first picture is of the person, else 0."""
    scores = queries @ gallery.T
    if other:
        np.fill_diagonal(scores, -np.inf)
    return (people[scores.argmax(1)] == people).astype(float)


def interval(gains: np.ndarray, people: np.ndarray) -> tuple[float, float]:
    """Compute a 95 % interval of the mean of ``(N,)`` gains by drawing people with replacement."""
    _, owners = np.unique(people, return_inverse=True)
    sums, counts = np.bincount(owners, gains), np.bincount(owners)
    drawn = np.random.default_rng(0).integers(len(sums), size=(_DRAWS, len(sums)))
    return tuple(np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [.025, .975]).tolist())


def _word(runs: np.ndarray, gains: np.ndarray, people: np.ndarray) -> str:
    """Word ``(S, 2)`` R1 and mAP of several draws as their mean, and the gain in R1."""
    first, precision = runs.mean(0)
    if not gains.any():
        return f'{first:.1f} / {precision:.1f}'
    low, high = interval(100 * gains, people)
    return f'{first:.1f} / {precision:.1f}, {100 * gains.mean():+.1f} [{low:.1f}, {high:.1f}]'


# ------------------------------------------------------------------ wrong words
def wrong_captions(captions: Sequence[str], share: float, seed: int) -> tuple[list[str], float]:
    """Replace a share of the colors and garments of captions; return the share that was replaced.

    Args:
        captions: N sentences.
        share: Of the words of all of them, each of which is as likely.
        seed: Of the draw.

    Example:
        >>> wrong_captions(['A man in a red coat.'], 0., 0)
        (['A man in a red coat.'], 0.0)
    """
    draw = np.random.default_rng(seed)
    words = [list(_pattern().finditer(caption)) for caption in captions]
    total = sum(map(len, words))
    chosen = np.zeros(total, bool)
    chosen[draw.permutation(total)[:round(share * total)]] = True
    picks, texts = iter(chosen), []
    for caption, found in zip(captions, words, strict=True):
        parts, end = [], 0
        for word in found:
            new = _other(word[0].lower(), draw) if next(picks) else word[0]
            parts += [caption[end:word.start()], new]
            end = word.end()
        texts.append(''.join(parts) + caption[end:])
    return texts, float(chosen.mean()) if total else 0.


def _other(word: str, draw: np.random.Generator) -> str:
    """Draw another word of the same kind."""
    if (color := colors().get(word)) is not None:
        others = sorted({one.name for one in colors().values()} - {color.name})
    else:
        own = garments()[word]
        form = 'singular' if own.singular == word else 'plural'
        others = sorted({getattr(one, form) for one in garments().values()
                         if one.region == own.region and one != own and getattr(one, form)})
    return str(draw.choice(others)) if others else word


@cache
def _pattern() -> re.Pattern:
    terms = sorted({*colors(), *garments()}, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, terms))})(?![\w-])", re.IGNORECASE)


# ------------------------------------------------------------------ data
def encode(encoder: Any, texts: Sequence[str]) -> np.ndarray:
    """Encode sentences as a search does."""
    asked = [query.encoded for query in read_queries(encoder, texts)]
    return np.concatenate([encoder.encode_texts(part) for part in _parts(asked)])


def _read(file: Path) -> list[dict]:
    """Read the test pictures with at least two captions."""
    if not file.is_file():
        raise MissingFile(f'{file}: not there; drawn people are made by mmtbps draw')
    found = [record for record in json.loads(file.read_text('utf-8'))
             if record['split'] == 'test']
    if short := next((one for one in found if len(one['captions']) < 2), None):
        raise BadValue(f"{file}: {short['file_path']} has one caption; draw two a picture")
    return found


def _parts(items: Sequence) -> Iterator[Sequence]:
    return (items[start:start + _BATCH] for start in range(0, len(items), _BATCH))
