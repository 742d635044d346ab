"""Train the toy diffusion model on drawn people; the same command goes on where it was stopped.

Examples:
    python projects/toy_diffusion/train.py data/DrawnBalanced work_dirs/toy_model
    python projects/toy_diffusion/train.py data/DrawnBalanced work_dirs/toy_model --seed 1 \
        --work-dir work_dirs/toy_1
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))   # where this folder is a package

from mmtbps.commands.wording.user_errors import one_line_errors  # noqa: E402
from toy_diffusion.training import train_toy  # noqa: E402


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', help='folder of drawn people, see mmtbps draw-balanced')
    parser.add_argument('out_dir', help='folder of the model')
    parser.add_argument('--work-dir', default='work_dirs/toy', help='folder of checkpoints')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train and print the folder of the model."""
    args = parse_args(argv)
    with one_line_errors('interrupted; the same command goes on'):
        print(train_toy(args.data_root, args.out_dir, args.work_dir, seed=args.seed))


if __name__ == '__main__':
    main()
