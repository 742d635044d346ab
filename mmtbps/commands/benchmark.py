"""Measure what the package costs: a Markdown table on the screen, all details as JSON.

Examples:
    mmtbps benchmark evaluation --sizes cuhk icfg --threads 2 --out work_dirs/benchmark
    mmtbps benchmark generation --threads 1
    mmtbps benchmark generation --device cuda --size sd15 --batch 16
    mmtbps benchmark edits --threads 1
    mmtbps benchmark edited-photographs --wheels FOLDER --selfie FILE --pose FOLDER
    mmtbps benchmark deployment --threads 1
    mmtbps benchmark search --sizes 10000 100000 --text
    mmtbps benchmark heat-maps --weights work_dirs/demo/epoch_12.pth
    mmtbps benchmark input --sizes cuhk --workers 1 2
    mmtbps benchmark training --size drawn --threads 2
    mmtbps benchmark training --device cuda --size base --preload --compile
    mmtbps benchmark profile --size base --threads 2
    mmtbps benchmark index --images 400 --threads 2
    mmtbps benchmark phrases --model MODEL --data data/DrawnPEDES --threads 1
    mmtbps benchmark captions --model MODEL --data data/DrawnPEDES --threads 1
    mmtbps benchmark filtered-presence --model MODEL --data data/DrawnPEDES --threads 1
    mmtbps benchmark serving --threads 2
    mmtbps benchmark mixed-load --minutes 60
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

import mmtbps
from mmtbps.fileio import write_durably

from .wording.command_names import CommandParser, as_typed
from .wording.json_answers import add_json, answer

__all__ = ['BENCHMARKS', 'add_arguments', 'describe_environment', 'find_tools', 'load_benchmark',
           'markdown_table', 'run']

# Each is a module of tools/benchmarks with `add_options(parser)` and `run(args) -> list[dict]`, the
# rows of its table. They stay there, beside the plain reference implementations that they measure
# against: nobody who searches or trains imports either.
BENCHMARKS = ('evaluation', 'generation', 'edits', 'deployment', 'search', 'heat-maps', 'training',
              'profile', 'input', 'annotations', 'index', 'edited-photographs', 'phrases',
              'answers', 'captions', 'filtered-presence', 'mixed-load', 'serving')


def find_tools() -> Path:
    """Return the folder of the tools, as installed or in a source tree.

    Example:
        >>> (find_tools() / 'benchmarks/index.py').is_file()
        True
    """
    package = Path(mmtbps.__file__).absolute().parent
    installed = package / '.mim/tools'
    return installed if installed.is_dir() else package.parent / 'tools'


def load_benchmark(name: str) -> ModuleType:
    """Import the module of a benchmark."""
    if (folder := str(find_tools())) not in sys.path:
        sys.path.insert(0, folder)
    return import_module(f'benchmarks.{name.replace("-", "_")}')


def add_arguments(parser: CommandParser) -> None:
    """Add the benchmarks, or the one that is named alone."""
    commands = parser.add_subparsers(dest='name', required=True, metavar='BENCHMARK')
    for name in [name for name in BENCHMARKS if name in parser.words[:1]] or BENCHMARKS:
        module = load_benchmark(name)
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0],
                                      description=module.__doc__)
        command.add_argument('--threads', type=int, default=torch.get_num_threads(),
                             help='CPU threads (default: %(default)s)')
        command.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'),
                             help='folder of the JSON file (default: %(default)s)')
        add_json(command)
        command.set_defaults(words=parser.words)
        module.add_options(command)


def run(args: argparse.Namespace) -> None:
    """Run a benchmark, write its report and print its table."""
    args.out.mkdir(parents=True, exist_ok=True)  # hours may pass before it is written to
    rows = load_benchmark(args.name).run(args)
    report = dict(command=as_typed(' '.join(['mmtbps benchmark', *args.words])),
                  environment=describe_environment(args.threads), rows=rows)
    path = args.out / f'{args.name}.json'
    write_durably(path, json.dumps(report, indent=2) + '\n')
    print(markdown_table(rows))
    print(f'\ndetails: {path}')
    answer(report)


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
