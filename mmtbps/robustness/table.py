"""Tables of a robustness run in Markdown."""

from collections.abc import Sequence

from mmtbps.markup import as_cell

from .run import CLEAN, Outcome

__all__ = ['condition_table', 'cross_domain_table']


def condition_table(outcomes: Sequence[Outcome]) -> str:
    """Write a line for each condition, with the difference from the test set as it is.

    Args:
        outcomes: of one model on one test set, that of the test set as it is among them.

    Example:
        >>> print(condition_table([Outcome('m', 'd', 'as it is', dict(R1=50., mAP=40.)),
        ...                        Outcome('m', 'd', 'blur 0.08', dict(R1=30., mAP=28.), 100.)]))
        | condition | changed | R1 | mAP | told apart |
        |---|---|---|---|---|
        | as it is | | 50.0 | 40.0 | |
        | blur 0.08 | 100 % | 30.0 (-20.0) | 28.0 (-12.0) | |
    """
    clean = next(outcome for outcome in outcomes if outcome.condition == CLEAN)
    lines = ['| condition | changed | R1 | mAP | told apart |', '|---|---|---|---|---|']
    for outcome in outcomes:
        cells = [f'{outcome.measures[key]:.1f}' + (
            '' if outcome is clean else f' ({outcome.measures[key] - clean.measures[key]:+.1f})')
            for key in ('R1', 'mAP')]
        # Of strangers nothing changes; a condition that could change nothing says so.
        changed = '' if outcome is clean or outcome.distractors else f'{outcome.changed:.0f} %'
        told = '' if outcome.told_apart is None else f'{outcome.told_apart:.0f} %'
        row = [outcome.condition, changed, *cells, told]
        lines.append('|' + '|'.join(f' {cell} ' if cell else ' ' for cell in row) + '|')
    return '\n'.join(lines)


def cross_domain_table(outcomes: Sequence[Outcome]) -> str:
    """Write R1 / mAP of every model on every test set as it is.

    Example:
        >>> print(cross_domain_table([Outcome('m', 'CUHK', 'as it is', dict(R1=50., mAP=40.)),
        ...                           Outcome('m', 'ICFG', 'as it is', dict(R1=30., mAP=20.))]))
        | R1 / mAP | CUHK | ICFG |
        |---|---|---|
        | m | 50.0 / 40.0 | 30.0 / 20.0 |
    """
    found = {(one.model, one.data): one.measures for one in outcomes if one.condition == CLEAN}
    models, data = (list(dict.fromkeys(names)) for names in zip(*found, strict=True))
    lines = [f'| R1 / mAP | {" | ".join(map(as_cell, data))} |', '|---' * (len(data) + 1) + '|']
    for model in models:
        cells = [f'{at["R1"]:.1f} / {at["mAP"]:.1f}' if (at := found.get((model, name))) else ''
                 for name in data]
        lines.append(f'| {as_cell(model)} | {" | ".join(cells)} |')
    return '\n'.join(lines)
