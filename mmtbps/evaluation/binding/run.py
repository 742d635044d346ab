"""Score of a model on a binding benchmark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmtbps.proportions import Proportion

from .benchmark_files import BindingBenchmark
from .scores import pair_scores, true_beats_negative

__all__ = ['BindingOutcome', 'score_binding']

#: Scores of N pictures with N sentences, ``(N,)``.
Score = Callable[[Sequence[str], Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class BindingOutcome:
    """Outcome of a benchmark.

    Args:
        kinds: Kind -> share of items whose caption beats the negative.
        groups: The same of the groups of kinds that are balanced against each other.
        pairs: Kind -> shares of ``text``, ``image`` and ``group``.
        ties: Share of items whose caption and negative score the same; they count as wrong.
    """

    kinds: dict[str, Proportion]
    groups: dict[str, Proportion]
    pairs: dict[str, dict[str, Proportion]]
    ties: float = 0.
    of: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return dict(
            kinds={kind: _to_json(share) for kind, share in self.kinds.items()},
            groups={group: _to_json(share) for group, share in self.groups.items()},
            pairs={kind: {name: _to_json(share) for name, share in shares.items()}
                   for kind, shares in self.pairs.items()}, ties=self.ties)


def score_binding(benchmark: BindingBenchmark, score: Score) -> BindingOutcome:
    """Measure whether true captions beat their negatives.

    Args:
        benchmark: What is asked.
        score: Scores N pictures, named by their paths, with N sentences; a scorer that sees no
            picture passes over the first.

    Raises:
        BadValue: A score is no finite number.
    """
    items, pairs = benchmark.items, benchmark.pairs
    images = [item.image for item in items]
    true = score(images, [item.caption for item in items]) if items else np.zeros(0)
    negative = score(images, [item.negative for item in items]) if items else np.zeros(0)
    right = true_beats_negative(true, negative)
    squares = np.zeros((0, 2, 2)) if not pairs else score(
        [image for pair in pairs for image in pair.images for _ in range(2)],
        [caption for pair in pairs for _ in range(2) for caption in pair.captions]
    ).reshape(-1, 2, 2)
    found = pair_scores(squares)._asdict()
    kinds = np.array([pair.kind for pair in pairs])
    return BindingOutcome(
        _shares(right, [item.kind for item in items]),
        _shares(right, [item.group for item in items]),
        {kind: {name: Proportion.of(values[kinds == kind].tolist())
                for name, values in found.items()} for kind in dict.fromkeys(kinds.tolist())},
        float((true == negative).mean()) if items else 0.,
        {item.kind: item.group for item in items})


def _shares(right: np.ndarray, names: Sequence[str]) -> dict[str, Proportion]:
    names = np.array(names)
    return {name: Proportion.of(right[names == name].tolist())
            for name in dict.fromkeys(names.tolist())}


def _to_json(share: Proportion) -> dict[str, Any]:
    low, high = share.interval
    return dict(share=share.share, low=low, high=high, right=share.right, total=share.total)
