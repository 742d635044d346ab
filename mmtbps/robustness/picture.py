"""Picture of a robustness run: a panel for each kind of condition, a line for each model."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mmtbps.fileio import write_durably

from .run import CLEAN, Outcome

__all__ = ['curves_of', 'draw_conditions', 'panels_of', 'ticks_of']

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4


def curves_of(outcomes: Sequence[Outcome]) -> dict[str, dict[str, tuple[list[str], list[float]]]]:
    """Arrange R1 by kind of condition and model, each curve from the test set as it is.

    Args:
        outcomes: of a run, by rising strength.

    Returns:
        Of each kind, by model and test set, the strengths in words and R1.

    Example:
        >>> clean, blurred = (Outcome('m', 'd', name, dict(R1=value)) for name, value in
        ...                   (('as it is', 50.), ('blur 0.08', 30.)))
        >>> curves_of([clean, blurred])
        {'blur': {'m, d': (['as it is', '0.08'], [50.0, 30.0])}}
    """
    clean = {(one.model, one.data): one.measures['R1'] for one in outcomes
             if one.condition == CLEAN}
    curves: dict[str, dict[str, tuple[list[str], list[float]]]] = {}
    for one in outcomes:
        if one.condition == CLEAN:
            continue
        kind, strength = _kind_and_strength(one)
        labels, values = curves.setdefault(kind, {}).setdefault(
            f'{one.model}, {one.data}', ([CLEAN], [clean[one.model, one.data]]))
        labels.append(strength)
        values.append(one.measures['R1'])
    return curves


def _kind_and_strength(outcome: Outcome) -> tuple[str, str]:
    kind, _, strength = outcome.condition.rpartition(' ')
    if outcome.distractors:
        return 'strangers in the gallery', str(outcome.distractors)
    return (kind, strength) if strength[:1].isdigit() else ('wording', outcome.condition)


def ticks_of(outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """List the strengths of each kind of condition, those of all models, as they come.

    Example:
        >>> ticks_of([Outcome('m', 'd', name, {}) for name in ('blur 0.02', 'blur 0.08')])
        {'blur': ['as it is', '0.02', '0.08']}
    """
    ticks: dict[str, dict[str, None]] = {}
    for one in outcomes:
        if one.condition != CLEAN:
            kind, strength = _kind_and_strength(one)
            ticks.setdefault(kind, {CLEAN: None})[strength] = None
    return {kind: list(strengths) for kind, strengths in ticks.items()}


def panels_of(curves: Mapping[str, Mapping[str, tuple[list[str], list[float]]]],
              ticks: Mapping[str, Sequence[str]]) -> 'Figure':
    """Draw a panel for each kind of condition, all on one scale.

    Args:
        curves: as `curves_of` returns them, one at least.
        ticks: strengths of each kind, in order, see `ticks_of`; models may have others.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    columns = min(_COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.8 * rows), layout='constrained')
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, (kind, lines) in zip(panels, curves.items(), strict=False):
        for name, (labels, values) in lines.items():
            axes.plot([ticks[kind].index(label) for label in labels], values, marker='.',
                      label=_as_it_stands(name))
        axes.set_xticks(range(len(ticks[kind])), ticks[kind])
        axes.set_title(kind, fontsize=9)
        axes.tick_params('x', labelrotation=25, labelsize=7)
        axes.grid(alpha=.3)
    for axes in panels[len(curves):]:  # what is left has no curve
        axes.set_axis_off()
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel('R1, percent')
    panels[0].legend(fontsize=7)
    return figure


def _as_it_stands(name: str) -> str:
    """Word a name so that matplotlib reads neither a formula nor a curve without a name in it."""
    escaped = name.replace('$', r'\$')
    return f'\u200b{escaped}' if escaped.startswith('_') else escaped


def draw_conditions(outcomes: Sequence[Outcome], path: Path) -> bool:
    """Draw the curves; without matplotlib, or without a condition, nothing is drawn.

    Args:
        outcomes: of a run.
        path: PNG to write.

    Returns:
        Whether there is a picture.
    """
    curves = curves_of(outcomes)
    if not curves or find_spec('matplotlib') is None:
        return False
    figure = panels_of(curves, ticks_of(outcomes))
    write_durably(path, lambda to: figure.savefig(to, format='png', dpi=120))
    return True
