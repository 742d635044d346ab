"""Curves of a run: what its log says, or how its learning rate goes."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import write_durably

__all__ = ['draw_curves', 'read_scalars', 'time_of_steps']


def read_scalars(path: str | os.PathLike) -> dict[str, tuple[list[float], list[float]]]:
    """Read the values that a run has logged.

    Args:
        path: ``scalars.json`` in ``vis_data`` of a run, one JSON object a line; a torn last line,
            as of a run that was killed, is left out.

    Returns:
        Steps and values of each name.

    Raises:
        MissingFile: there is no such file.
        BadValue: it is another file.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f'{path}: no such log; a run writes vis_data/scalars.json')
    curves: dict[str, tuple[list[float], list[float]]] = {}
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            place = values.get('step', values.get('iter', number))
        except (ValueError, AttributeError) as error:
            if number == len(lines) and curves:
                break
            raise BadValue(f'{path}:{number}: no log of a run, which has one JSON object a line'
                           ) from error
        for name, value in values.items():
            if isinstance(value, (int, float)) and name not in ('step', 'iter', 'epoch'):
                steps, found = curves.setdefault(name, ([], []))
                steps.append(place)
                found.append(value)
    return curves


def time_of_steps(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
                  outliers: bool = False) -> dict[str, float]:
    """Summarise how long a step took.

    Args:
        curves: of `read_scalars`.
        outliers: count the first logged value, too, in which a run warms up.

    Returns:
        Mean, standard deviation, least and most seconds of the logged means.

    Raises:
        BadValue: no times are logged.

    Example:
        >>> time_of_steps(dict(time=([1, 2, 3], [9., 1., 3.])))['mean']
        2.0
    """
    times = list(curves.get('time', ((), ()))[1])
    times = times if outliers or len(times) < 2 else times[1:]
    if not times:
        raise BadValue('the log has no times of steps')
    return dict(mean=float(np.mean(times)), std=float(np.std(times)), least=min(times),
                most=max(times))


def draw_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
                path: str | os.PathLike, title: str = '', label: str = 'step') -> None:
    """Draw curves into one picture.

    Args:
        curves: places and values by name, which stand in the legend.
        path: of a PNG, PDF or SVG.
        title: above.
        label: of the axis of places.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(8, 4.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, (places, values) in curves.items():
        axes.plot(places, values, label=name, marker='.' if len(values) < 30 else None)
    axes.set_xlabel(label)
    axes.set_title(title)
    axes.grid(alpha=.3)
    axes.legend()
    write_durably(path, lambda to: figure.savefig(to, format=Path(path).suffix[1:] or 'png'))
