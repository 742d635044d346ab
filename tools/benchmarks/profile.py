"""Profile: where the time of a training step goes, in plain PyTorch and in ours.

The trainings are those of the benchmark `training`. Times are those of the operations themselves,
as PyTorch's profiler sees them, in groups; its own cost makes small models slower than they are.

Examples:
    mmtbps benchmark profile --size base --threads 2
    mmtbps benchmark profile --device cuda --size base --preload
"""

import argparse
import itertools
import re
import sys
import time
from collections import Counter

import torch
from torch.profiler import ProfilerActivity, record_function

from .training import add_workload_options, choose_rows, drawn_workload
from .training_runs import Setting, Workload, in_own_process, started

# The first group whose expression is found in the name of an operation has it.
GROUPS = (
    ('reading and normalising data', r'^data$'),
    ('optimizer', r'^Optimizer|_fused_adam|_foreach|addcmul|addcdiv|lerp'),
    ('gradient clipping', r'vector_norm|_amp_'),
    ('attention and its softmax', r'scaled_dot_product|\bbmm|baddbmm|softmax'),
    ('matrix products', r'\bmm\b|addmm|linear|conv|mkldnn'),
    ('layer norms', r'layer_norm'),
    ('activation', r'gelu|tanh'),
    ('embedding', r'embedding|index'),
    ('casts and copies', r'copy|clone|contiguous|\bcat\b|stack|pin_memory'),
    ('additions, products, sums', r'add|sub|mul|div|sum|mean|where|fill|zero|sqrt|pow'),
)
REST, PYTHON = 'other operations', 'between the operations'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options beside ``--threads`` and ``--out``."""
    add_workload_options(parser)


def run(args: argparse.Namespace) -> list[dict]:
    """Profile plain and ours."""
    args.only, profiles = [], {}
    settings = choose_rows(args)
    with drawn_workload(args) as work:
        for name in ('plain', 'ours'):
            print(f'{name} ...', file=sys.stderr, flush=True)
            profiles[name] = in_own_process(profile, work, settings[name])
    rows = []
    for group in sorted(profiles['plain'].keys() | profiles['ours'].keys(),
                        key=lambda group: -profiles['plain'].get(group, 0)):
        rows.append({'where': group} | {
            key: value for name, found in profiles.items()
            for key, value in columns(name, found, group).items()})
    return rows


def columns(name: str, found: dict[str, float], group: str) -> dict[str, float]:
    """Of one training and one group: milliseconds and share of a step."""
    seconds = found.get(group, 0.)
    return {f'{name} (ms a step)': round(1000 * seconds, 2),
            f'{name} (%)': round(100 * seconds / sum(found.values()), 1)}


def profile(work: Workload, setting: Setting) -> dict[str, float]:
    """Seconds a step of each group; on a GPU those of the device."""
    on_gpu = work.device == 'cuda'
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with started(work, setting) as training:
        for batch in itertools.islice(training.batches, work.warmup):
            training.step(batch)
        with torch.profiler.profile(activities=activities) as profiler:
            start = time.perf_counter()
            for _ in range(work.steps):
                with record_function('data'):
                    batch = next(training.batches)
                training.step(batch)
            if on_gpu:
                torch.cuda.synchronize()
            seconds = time.perf_counter() - start
    groups = Counter()
    for event in profiler.events():
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        groups[group_of(event)] += own / 1e6
    groups[PYTHON] = seconds - sum(groups.values())
    return {group: total / work.steps for group, total in groups.items() if total > 0}


def group_of(event: torch.autograd.profiler_util.FunctionEvent) -> str:
    """The group of an operation; what data and optimizer do inside is theirs."""
    parent = event
    while parent is not None:
        for group, names in GROUPS[:2]:
            if re.search(names, parent.name):
                return group
        parent = parent.cpu_parent
    return next((group for group, names in GROUPS[2:] if re.search(names, event.name)), REST)
