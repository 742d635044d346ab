"""Table of short sentences: the mean of each group, beside the base rate."""

from collections.abc import Sequence

import numpy as np

from .benchmark_files import ShortSentence
from .measures import SentenceMeasures

__all__ = ['group_means', 'short_sentence_table']

_MEASURES = ('precision', 'average_precision', 'base', 'skill')


def group_means(sentences: Sequence[ShortSentence],
                measures: Sequence[SentenceMeasures]) -> dict[str, dict[str, float]]:
    """Average the measures of the sentences of each group.

    ``skill`` is the mean of the sentences' skill, ``worst`` the least of them; ``sentences`` counts
    them.
    """
    groups: dict[str, list[SentenceMeasures]] = {}
    for one, found in zip(sentences, measures, strict=True):
        groups.setdefault(one.group, []).append(found)
    return {group: dict({name: float(np.mean([getattr(one, name) for one in found]))
                         for name in _MEASURES},
                        worst=min(one.skill for one in found), sentences=len(found))
            for group, found in groups.items()}


def short_sentence_table(sentences: Sequence[ShortSentence],
                         measures: Sequence[SentenceMeasures]) -> str:
    """Write a line for each group, in percent.

    Args:
        sentences: Of the benchmark.
        measures: Of each.

    Example:
        >>> one = ShortSentence('red top', 'upper color', ('red top',), None, None)
        >>> print(short_sentence_table([one], [SentenceMeasures(.6, .55, .2)]))
        | group | precision | average precision | base rate | skill | worst skill | sentences |
        |---|---|---|---|---|---|---|
        | upper color | 60.0 | 55.0 | 20.0 | 50.0 | 50.0 | 1 |
    """
    lines = ['| group | precision | average precision | base rate | skill | worst skill | '
             'sentences |', '|---' * 7 + '|']
    for group, means in group_means(sentences, measures).items():
        shares = [f'{100 * means[name]:.1f}' for name in (*_MEASURES, 'worst')]
        lines.append(f'| {group} | {" | ".join(shares)} | {means["sentences"]} |')
    return '\n'.join(lines)
