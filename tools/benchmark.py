"""Measure what the package costs: a Markdown table on the screen, all details as JSON.

Examples:
    python tools/benchmark.py evaluation --help
    python tools/benchmark.py evaluation --sizes cuhk icfg --threads 2 --out work_dirs/benchmark
    python tools/benchmark.py generation --threads 1
    python tools/benchmark.py generation --device cuda --size sd15 --batch 16
    python tools/benchmark.py edits --threads 1
    python tools/benchmark.py edited-photographs --wheels FOLDER --selfie FILE --pose FOLDER
    python tools/benchmark.py deployment --threads 1
    python tools/benchmark.py search --sizes 10000 100000 --text
    python tools/benchmark.py heat-maps --weights work_dirs/demo/epoch_12.pth
    python tools/benchmark.py input --sizes cuhk --workers 1 2
    python tools/benchmark.py training --size drawn --threads 2
    python tools/benchmark.py training --device cuda --size base --preload --compile
    python tools/benchmark.py profile --size base --threads 2
    python tools/benchmark.py index --images 400 --threads 2
"""

import argparse
import json
import os
import platform
import sys
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from mmtbps.commands.command_names import CommandParser
from mmtbps.commands.user_errors import one_line_errors
from mmtbps.fileio import write_durably

# Each has a module with `add_options(parser)` and `run(args) -> list[dict]`, the rows of its table.
# They are imported late: a process that a benchmark starts imports this file again.
BENCHMARKS = ('evaluation', 'generation', 'edits', 'deployment', 'search', 'heat-maps', 'training',
              'profile', 'input', 'index', 'edited-photographs')


def load_benchmark(name: str) -> ModuleType:
    """The module of a benchmark."""
    return import_module(f'benchmarks.{name.replace("-", "_")}')


def parse_args() -> argparse.Namespace:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='name', required=True, metavar='BENCHMARK')
    asked = [name for name in BENCHMARKS if name in sys.argv[1:2]]
    for name in asked or BENCHMARKS:
        module = load_benchmark(name)
        command = commands.add_parser(
            name, help=module.__doc__.splitlines()[0], description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        command.add_argument('--threads', type=int, default=torch.get_num_threads(),
                             help='CPU threads (default: %(default)s)')
        command.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'),
                             help='folder of the JSON file (default: %(default)s)')
        module.add_options(command)
    return parser.parse_args()


def describe_environment(threads: int) -> dict:
    """Describe the machine and the stack, by which a reader judges the numbers."""
    return dict(date=date.today().isoformat(), cpu=_cpu_name(), cores=os.cpu_count(),
                threads=threads, machine=platform.machine(), python=platform.python_version(),
                torch=torch.__version__, numpy=np.__version__,
                gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None)


def _cpu_name() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or 'unknown'


def markdown_table(rows: list[dict]) -> str:
    """Lay out rows of equal keys as a table."""
    lines = [list(rows[0]), ['---'] * len(rows[0]), *(row.values() for row in rows)]
    return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines)


def benchmark(args: argparse.Namespace) -> None:
    """Run a benchmark, write its report and print its table."""
    args.out.mkdir(parents=True, exist_ok=True)  # hours may pass before it is written to
    rows = load_benchmark(args.name).run(args)
    report = dict(command=' '.join(['python', 'tools/benchmark.py', *sys.argv[1:]]),
                  environment=describe_environment(args.threads), rows=rows)
    path = args.out / f'{args.name}.json'
    write_durably(path, json.dumps(report, indent=2) + '\n')
    print(markdown_table(rows))
    print(f'\ndetails: {path}')


def main() -> None:
    args = parse_args()
    with one_line_errors():
        benchmark(args)


if __name__ == '__main__':
    main()
