"""Reliability diagram: probabilities that were said, against what was found."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mmtbps.fileio import write_durably

__all__ = ['Bin', 'draw_reliability']


class Bin(Protocol):
    """Answers of about one probability: their ``count``, mean probability, and share found."""

    count: int
    said: float
    found: float


def draw_reliability(curves: Mapping[str, Sequence[Bin]], path: str | os.PathLike,
                     title: str = '') -> None:
    """Draw a curve for each name, below them how many answers there are of each probability.

    A calibrated probability lies on the diagonal; above it more was found than was said.

    Args:
        curves: By name, from the lowest probability on.
        path: Of a PNG, PDF or SVG.
        title: Above.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(6, 7), layout='constrained')
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color='0.6', linestyle='--', linewidth=1)
    for name, bins in curves.items():
        said = [one.said for one in bins]
        line, = above.plot(said, [one.found for one in bins], marker='o', label=name)
        total = sum(one.count for one in bins)
        below.plot(said, [one.count / total for one in bins], marker='.', color=line.get_color())
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel='share that was there', title=title)
    below.set(xlabel='probability that was said', ylabel='share of answers', ylim=(0, None))
    above.legend()
    for axes in (above, below):
        axes.grid(alpha=.3)
    write_durably(path, lambda to: figure.savefig(to, format=Path(path).suffix[1:] or 'png',
                                                  dpi=110))
