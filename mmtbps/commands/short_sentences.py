"""Measure how many of the first pictures show what a sentence of one to three attributes asks for.

People type "red coat" or "man with suitcase". For each sentence of BENCHMARK the precision at the
number of true pictures and the average precision are measured beside the base rate, which a random
order gets; skill is (precision - base) / (1 - base).

Examples:
    mmtbps draw data/DrawnPEDES --benchmarks
    mmtbps short-sentences work_dirs/model data/DrawnPEDES/benchmarks/short_sentences.json
    mmtbps short-sentences work_dirs/model short_sentences.json --weigh-phrases
    mmtbps short-sentences hf:openai/clip-vit-base-patch16 short_sentences.json --json
"""

import argparse
from collections.abc import Callable

import numpy as np

from mmtbps.evaluation.short_sentences import (
    group_means,
    read_short_sentences,
    score_short_sentences,
    short_sentence_table,
)
from mmtbps.search.answers.phrase_weights import phrases_to_weigh, weighed_scores
from mmtbps.search.answers.phrases import PhraseChecker

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
    parser.add_argument('--weigh-phrases', action='store_true', help='as for mmtbps query')


def run(args: argparse.Namespace) -> None:
    """Score the model and print the table."""
    benchmark = read_short_sentences(args.benchmark, args.images)
    encoder = open_model(args)
    measures = score_short_sentences(
        benchmark,
        lambda paths: np.array([*map(encode_pictures(encoder, paths).__getitem__, paths)]),
        lambda texts: np.array([*map(encode_sentences(encoder, texts).__getitem__, texts)]),
        _weigh(PhraseChecker(encoder)) if args.weigh_phrases else None)
    print(f'{args.model} on {benchmark.name}\n\n'
          f'{short_sentence_table(benchmark.sentences, measures)}')
    answer(dict(model=args.model, benchmark=benchmark.name, weigh_phrases=args.weigh_phrases,
                groups=group_means(benchmark.sentences, measures),
                sentences=[dict(sentence=one.sentence, group=one.group,
                                true=int(one.true.sum()), unsure=int(one.unsure.sum()),
                                **found._asdict(), skill=found.skill)
                           for one, found in zip(benchmark.sentences, measures, strict=True)]))


def _weigh(checker: PhraseChecker) -> Callable[[str, np.ndarray, np.ndarray], np.ndarray]:
    """Return the scores of a search that weighs phrases, with the pictures as its gallery."""
    def weigh(sentence: str, text: np.ndarray, images: np.ndarray) -> np.ndarray:
        scores = images @ text
        return weighed_scores(scores, images, phrases_to_weigh(sentence), checker, scores.std())
    return weigh
