"""Train the toy diffusion model on drawn people; start again to go on.

Examples:
    python -m projects.toy_diffusion.draw data/DrawnBalanced
    python -m projects.toy_diffusion.train data/DrawnBalanced work_dirs/toy_model
"""

import argparse

from mmtbps.commands.user_errors import one_line_errors

from .training import train_toy


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', help='folder of drawn people')
    parser.add_argument('out_dir', help='folder of the model')
    parser.add_argument('--work-dir', default='work_dirs/toy',
                        help='folder of checkpoints (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    print(train_toy(args.data_root, args.out_dir, args.work_dir, seed=args.seed))


if __name__ == '__main__':
    with one_line_errors('interrupted; the same command goes on'):
        main()
