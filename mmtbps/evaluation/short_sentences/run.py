"""Score of a model on a benchmark of short sentences."""

from collections.abc import Callable, Sequence

import numpy as np

from .benchmark_files import ShortSentenceBenchmark
from .measures import SentenceMeasures, measure_sentence

__all__ = ['score_short_sentences']

Weigh = Callable[[str, np.ndarray, np.ndarray], np.ndarray]


def score_short_sentences(
        benchmark: ShortSentenceBenchmark, encode_images: Callable[[Sequence[str]], np.ndarray],
        encode_texts: Callable[[Sequence[str]], np.ndarray],
        weigh: Weigh | None = None) -> list[SentenceMeasures]:
    """Measure each sentence of a benchmark.

    Args:
        benchmark: Gallery and sentences.
        encode_images: Gives ``(N, D)`` features of the pictures of these paths.
        encode_texts: Gives ``(Q, D)`` features of the sentences; their dot product is the score.
        weigh: Gives other scores, ``(N,)``, of a sentence, its feature and those of the pictures.

    Returns:
        Measures in the order of the sentences.

    Raises:
        BadValue: A feature is no number.
    """
    images = encode_images(benchmark.images)
    texts = encode_texts([one.sentence for one in benchmark.sentences])
    weigh = weigh or (lambda sentence, text, images: images @ text)
    return [measure_sentence(weigh(one.sentence, text, images), one.true, one.unsure)
            for one, text in zip(benchmark.sentences, texts, strict=True)]
