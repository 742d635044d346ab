"""Measure whether a model knows which color is on what, or only which colors there are.

Each picture of BENCHMARK has a true caption and one that is wrong in one thing: colors on other
garments, another color, an accessory more or less. The share of pictures whose true caption scores
higher is printed, beside that of a scorer that sees no picture. A file in the layout of SugarCrepe
or ColorSwap is read too, and a CSV with the columns image,caption,negative and perhaps kind.

Examples:
    mmtbps draw data/DrawnPEDES --benchmarks
    mmtbps binding work_dirs/model data/DrawnPEDES/benchmarks/binding.json
    mmtbps binding CONFIG data/DrawnPEDES/benchmarks/binding.json --checkpoint last.pth
    mmtbps binding hf:openai/clip-vit-base-patch16 swap_att.json --images coco/val2017
    mmtbps binding MODEL mine.csv --captions captions.txt --json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmtbps.evaluation.binding import (
    BindingBenchmark,
    BindingOutcome,
    NGramScorer,
    binding_table,
    read_binding,
    read_captions,
    score_binding,
)

from .options.benchmark_model import (
    add_benchmark_arguments,
    encode_pictures,
    encode_sentences,
    open_model,
)
from .wording.json_answers import answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model, the benchmark, and the captions of the scorer without a picture."""
    add_benchmark_arguments(parser)
    parser.add_argument('--captions', type=Path, metavar='FILE', help='training captions for the '
                        'scorer that sees no picture: annotations as of CUHK-PEDES, or a text with '
                        'one a line (default: those that the file names, if they are there)')


def run(args: argparse.Namespace) -> None:
    """Score the model and the scorer without a picture, and print the table."""
    benchmark = read_binding(args.benchmark, args.images)
    blind = _score_blind(args, benchmark)
    encoder = open_model(args)
    pictures = encode_pictures(encoder, [item.image for item in benchmark.items] + [
        image for pair in benchmark.pairs for image in pair.images])
    sentences = encode_sentences(encoder, [
        text for item in benchmark.items for text in (item.caption, item.negative)] + [
            text for pair in benchmark.pairs for text in pair.captions])

    def score(images: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        return np.array([pictures[image] @ sentences[text]
                         for image, text in zip(images, texts, strict=True)])

    outcome = score_binding(benchmark, score)
    print(f'{args.model} on {benchmark.name}\n\n{binding_table(outcome, blind)}')
    answer(dict(model=args.model, benchmark=benchmark.name, **outcome.to_json(),
                blind=blind and blind.to_json()))


def _score_blind(args: argparse.Namespace, benchmark: BindingBenchmark) -> BindingOutcome | None:
    """Score the sentences alone; None where no training captions are known."""
    named = args.captions or benchmark.captions
    if named is None or not (args.captions or named.is_file()):
        return None
    scorer = NGramScorer(read_captions(named))
    return score_binding(benchmark, lambda images, texts: scorer.score(texts))
