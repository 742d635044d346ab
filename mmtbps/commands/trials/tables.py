"""Tables of trials: mean and spread of each arm, and differences seed by seed."""

from collections.abc import Sequence

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.markup import as_cell

__all__ = ['FEW_MEASURES', 'MEASURES', 'MOST_SEEDS', 'difference_table', 'list_runs',
           'sign_flip_probability', 'sign_flip_table', 'table', 'word_spread']

MEASURES = ('R1', 'R5', 'R10', 'mAP')
#: Beyond, halves of the signs no longer fit into memory.
MOST_SEEDS = 40
#: Those of validation beside them, and of the differences.
FEW_MEASURES = ('R1', 'mAP')


def table(results: dict[str, list[dict]], chance: dict[str, float] | None) -> str:
    """Write mean and spread of each arm as Markdown, validation beside test."""
    beside = FEW_MEASURES if all('val' in run for runs in results.values() for run in runs) else ()
    titles = [*MEASURES, *(f'val {measure}' for measure in beside)]
    lines = ['| arm | ' + ' | '.join(titles) + ' | n |', '|---' * (len(titles) + 2) + '|']
    for name, runs in results.items():
        cells = [word_spread([run[f't2i/{measure}'] for run in runs]) for measure in MEASURES]
        cells += [word_spread([run['val'][f't2i/{measure}'] for run in runs])
                  for measure in beside]
        lines.append(f'| {as_cell(name)} | ' + ' | '.join(cells) + f' | {len(runs)} |')
    if chance is None:
        return '\n'.join(lines)
    cells = [f'{chance[measure]:.1f}' if measure in chance else '' for measure in MEASURES]
    lines.append('| chance | ' + ' | '.join([*cells, *('' for _ in beside)]) + ' | |')
    return '\n'.join(lines)


def word_spread(values: Sequence[float], sign: str = '') -> str:
    """Word mean and standard deviation; of one value its own."""
    spread = f' ± {np.std(values, ddof=1):.1f}' if len(values) > 1 else ''
    return f'{np.mean(values):{sign}.1f}{spread}'


def difference_table(results: dict[str, list[dict]]) -> str:
    """Write how far each arm is from the first, seed by seed, as Markdown.

    Runs of one seed begin with the same weights and data in the same order, so that their
    difference may spread less than they do. In brackets stands the number of seeds with which the
    arm is ahead.
    """
    (first, base), *others = results.items()
    sides = [('test', lambda run: run)]
    if all('val' in run for runs in results.values() for run in runs):
        sides.append(('val', lambda run: run['val']))
    titles = [f'{side} {measure}' for measure in FEW_MEASURES for side, _ in sides]
    lines = [f'Differences from {first!r}, seed by seed:', '',
             '| arm | ' + ' | '.join(titles) + ' | n |', '|---' * (len(titles) + 2) + '|']
    for name, runs in others:
        cells = []
        for measure in FEW_MEASURES:
            for _, of in sides:
                apart = [of(run)[f't2i/{measure}'] - of(other)[f't2i/{measure}']
                         for run, other in zip(runs, base, strict=True)]
                cells.append(f'{word_spread(apart, "+")} ({sum(value > 0 for value in apart)})')
        lines.append(f'| {as_cell(name)} | ' + ' | '.join(cells) + f' | {len(runs)} |')
    return '\n'.join(lines)


def list_runs(seeds: Sequence[int], runs: list[dict]) -> list[dict]:
    """List the runs of an arm for a script: seed, measures of the test set and of validation."""
    return [dict(seed=seed, test={key: value for key, value in run.items() if key != 'val'},
                 val=run.get('val')) for seed, run in zip(seeds, runs, strict=True)]


def sign_flip_probability(differences: Sequence[float]) -> float:
    """Compute how likely differences as large are if their signs are mere chance.

    The exact paired permutation test, two-sided: of all ways to give n differences signs, the share
    whose sum is as far from 0. It needs no distribution, and of n seeds it is never below 2 / 2^n.

    Args:
        differences: of the runs of two arms, seed by seed; 40 at most.

    Returns:
        The share; not a number if a difference is none, since nothing is known then.

    Raises:
        BadValue: there are more.

    Example:
        >>> sign_flip_probability([2., 1., 3.]), sign_flip_probability([2., -2.])
        (0.25, 1.0)
    """
    if len(differences) > MOST_SEEDS:
        raise BadValue(f'sign flips are counted of {MOST_SEEDS} differences at most, got '
                       f'{len(differences)}')
    if not np.isfinite(differences).all():
        return float('nan')
    # As far from 0 as what was seen, or rounding is to blame.
    seen = abs(sum(differences)) - 1e-9
    if seen <= 0:
        return 1.0
    # Each half has few sums; of the other half those count that bring them as far out.
    near, far = (_signed_sums(differences[start::2]) for start in (0, 1))
    far.sort()
    above = len(far) - np.searchsorted(far, seen - near)
    below = np.searchsorted(far, -seen - near, side='right')
    return int((above + below).sum()) / 2 ** len(differences)


def _signed_sums(values: Sequence[float]) -> np.ndarray:
    """Compute the ``(2^n,)`` sums of n values with all signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def sign_flip_table(results: dict[str, list[dict]]) -> str:
    """Write how often an arm is as far from the first by chance alone, as Markdown.

    Args:
        results: runs of each arm, of the same seeds in one order.
    """
    (first, base), *others = results.items()
    seeds = 'one seed' if len(base) == 1 else f'{len(base)} seeds'
    lines = [f'How often a difference from {first!r} is as large by chance alone (exact sign flips '
             f'over {seeds}, never below {2 / 2 ** len(base):.3g}; each arm by itself):', '',
             '| arm | ' + ' | '.join(f'test {measure}' for measure in FEW_MEASURES) + ' |',
             '|---' * (len(FEW_MEASURES) + 1) + '|']
    for name, runs in others:
        cells = [f'{sign_flip_probability([run[key] - other[key] for run, other in pairs]):.3g}'
                 for key in (f't2i/{measure}' for measure in FEW_MEASURES)
                 for pairs in [list(zip(runs, base, strict=True))]]
        lines.append(f'| {as_cell(name)} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)
