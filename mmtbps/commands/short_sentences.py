"""Measure how many of the first pictures show what a sentence of one to three attributes asks for.

People type "red coat" or "man with suitcase". For each sentence of BENCHMARK the precision at the
number of true pictures and the average precision are measured beside the base rate, which a random
order gets; skill is (precision - base) / (1 - base).

Examples:
    mmtbps draw data/DrawnPEDES --benchmarks
    mmtbps short-sentences work_dirs/model data/DrawnPEDES/benchmarks/short_sentences.json
    mmtbps short-sentences hf:openai/clip-vit-base-patch16 short_sentences.json --json
"""

import argparse

import numpy as np

from mmtbps.evaluation.short_sentences import (
    group_means,
    read_short_sentences,
    score_short_sentences,
    short_sentence_table,
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
    """Add the model and the benchmark."""
    add_benchmark_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Score the model and print the table."""
    benchmark = read_short_sentences(args.benchmark, args.images)
    encoder = open_model(args)
    measures = score_short_sentences(
        benchmark,
        lambda paths: np.array([*map(encode_pictures(encoder, paths).__getitem__, paths)]),
        lambda texts: np.array([*map(encode_sentences(encoder, texts).__getitem__, texts)]))
    print(f'{args.model} on {benchmark.name}\n\n'
          f'{short_sentence_table(benchmark.sentences, measures)}')
    answer(dict(model=args.model, benchmark=benchmark.name,
                groups=group_means(benchmark.sentences, measures),
                sentences=[dict(sentence=one.sentence, group=one.group,
                                true=int(one.true.sum()), unsure=int(one.unsure.sum()),
                                **found._asdict(), skill=found.skill)
                           for one, found in zip(benchmark.sentences, measures, strict=True)]))
