"""Draw curves of what runs have logged, or tell how long their steps took.

Examples:
    mmtbps analyze-logs plot_curve work_dirs/demo/20260101_000000/vis_data/scalars.json --keys loss
    mmtbps analyze-logs plot_curve A/scalars.json B/scalars.json --keys t2i/R1 --legend a b
    mmtbps analyze-logs cal_train_time work_dirs/demo/20260101_000000/vis_data/scalars.json
"""

import argparse

from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable
from mmtbps.visualization import draw_curves, read_scalars, time_of_steps

from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two verbs."""
    verbs = parser.add_subparsers(dest='verb', required=True)
    plot = verbs.add_parser('plot_curve', help='draw values over steps')
    plot.add_argument('logs', nargs='+', help='scalars.json of runs')
    plot.add_argument('--keys', nargs='+', default=['loss'], help='values (default: loss)')
    plot.add_argument('--legend', nargs='+', help='a name for each curve, key by key')
    plot.add_argument('--title', default='', help='above the picture')
    plot.add_argument('--out', default='curves.png', help='picture to write (default: curves.png)')
    time = verbs.add_parser('cal_train_time', help='tell how long a step took')
    time.add_argument('logs', nargs='+', help='scalars.json of runs')
    time.add_argument('--include-outliers', action='store_true',
                      help='count the first logged value, too')
    add_json(time)


def run(args: argparse.Namespace) -> None:
    """Read the logs; draw, or print times."""
    if args.verb == 'plot_curve':
        return _plot(args)
    rows = [dict(log=log, **time_of_steps(read_scalars(log), args.include_outliers))
            for log in args.logs]
    for took in rows:
        print(f'{took["log"]}: {took["mean"]:.4f} s a step (std {took["std"]:.4f}, from '
              f'{took["least"]:.4f} to {took["most"]:.4f})')
    answer(rows)


def _plot(args: argparse.Namespace) -> None:
    check_writable(args.out)
    curves = {}
    for log in args.logs:
        scalars = read_scalars(log)
        for key in args.keys:
            if key not in scalars:
                raise BadValue(f'{log}: no {key!r} is logged, but {", ".join(sorted(scalars))}')
            curves[f'{log} {key}' if len(args.logs) > 1 else key] = scalars[key]
    if args.legend:
        if len(args.legend) != len(curves):
            raise BadValue(f'--legend needs {len(curves)} names, got {len(args.legend)}')
        curves = dict(zip(args.legend, curves.values(), strict=True))
    draw_curves(curves, args.out, args.title)
    print(args.out)
