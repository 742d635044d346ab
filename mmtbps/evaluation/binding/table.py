"""Table of a binding benchmark, with a scorer that sees no picture beside the model."""

from mmtbps.proportions import Proportion

from .run import BindingOutcome

__all__ = ['binding_table']

#: What a coin would get of each score of a pair.
_CHANCE = dict(text='25.0', image='25.0', group='16.7')


def binding_table(outcome: BindingOutcome, blind: BindingOutcome | None = None) -> str:
    """Write a line for each kind, in percent with 95 % Wilson intervals.

    A kind that is balanced only together with others has no line of its own for chance: the line of
    its group has.

    Args:
        outcome: Of the model.
        blind: Of a scorer of the sentences alone.

    Example:
        >>> from mmtbps.proportions import Proportion
        >>> shares = dict(permuted=Proportion.of([True, True, False, True]))
        >>> print(binding_table(BindingOutcome(shares, shares, {})))
        | true caption before the negative | model | chance | items |
        |---|---|---|---|
        | permuted | 75.0 (30.1 - 95.4) | 50.0 | 4 |
    """
    sides = [outcome] if blind is None else [outcome, blind]
    head = ['model', *(['without the picture'] if blind else []), 'chance', 'items']
    lines = []
    if outcome.kinds:
        lines = [f'| true caption before the negative | {" | ".join(head)} |',
                 '|---' * (len(head) + 1) + '|']
        for group, shares in _by_group(outcome).items():
            if shares != [group]:
                lines.append(_line(f'{group}, all', [side.groups[group] for side in sides], '50.0'))
            lines += [_line(kind, [side.kinds[kind] for side in sides],
                            '50.0' if shares == [group] else '') for kind in shares]
    if outcome.pairs:
        lines += [''] * bool(lines)
        lines += [f'| two pictures, two captions | {" | ".join(head[:-1])} | pairs |',
                  '|---' * (len(head) + 1) + '|']
        lines += [_line(f'{kind}: {name}', [side.pairs[kind][name] for side in sides],
                        _CHANCE[name]) for kind, found in outcome.pairs.items() for name in found]
    return '\n'.join(lines)


def _by_group(outcome: BindingOutcome) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for kind in outcome.kinds:
        groups.setdefault(outcome.of.get(kind, kind), []).append(kind)
    return groups


def _line(name: str, shares: list[Proportion], chance: str) -> str:
    cells = []
    for share in shares:
        low, high = share.interval
        cells.append(f'{100 * share.share:.1f} ({100 * low:.1f} - {100 * high:.1f})')
    cells += [chance, str(shares[0].total)]
    return '|'.join(['', *(f' {cell} ' if cell else ' ' for cell in (name, *cells)), ''])
