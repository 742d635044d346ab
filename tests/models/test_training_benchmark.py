"""The benchmark of training: every row learns the same, and its counts are right."""

import argparse
import importlib
import json
import logging
from pathlib import Path

import pytest
import torch
from forked_processes import run_tool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch):
    """A function that imports a module of tools/benchmarks."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    yield lambda name: importlib.import_module(f'benchmarks.{name}')
    logging.disable(logging.NOTSET)


@pytest.fixture
def options(load):
    """A function that reads the command's options as the command does."""
    def parse(*words):
        parser = argparse.ArgumentParser()
        load('training').add_options(parser)
        return parser.parse_args(words)

    return parse


@pytest.fixture
def train(load, micro_set):
    """A function that trains a tiny size for five steps and returns all that is noted."""
    runs = load('training_runs')

    def train_tiny(size, **setting):
        work = runs.Workload(size, str(micro_set), 'cpu', threads=1, workers=0, batch=8, warmup=2,
                             steps=3)
        return runs.train(work, runs.Setting(**setting))

    return train_tiny


@pytest.mark.parametrize('size, length', [('tiny', 64), ('clip-tiny', 77)])
def test_every_row_in_float32_has_the_losses_of_plain(train, load, options, size, length):
    benchmark = load('training')
    rows = benchmark.choose_rows(options('--size', size))
    assert len(rows) == 10
    results = {name: train(size, **vars(setting)) for name, setting in rows.items()}
    expected = results['plain']['losses']
    assert len(set(expected)) == 5
    for name, result in results.items():
        difference = benchmark.largest_difference(result['losses'], expected)
        assert difference < (1e-5 if rows[name].dtype == 'float32' else .05), name
        assert (difference == 0) == (name == 'plain'), name
        assert result['seconds'] > 0 and result['megabytes'] >= 0
    padded = {name for name, result in results.items() if result['lengths'] == [length] * 3}
    assert padded == {'plain', 'ours without dynamic length'}


def test_a_row_that_learns_something_else_fails(load, options):
    benchmark = load('training')
    rows = benchmark.choose_rows(options('--only', 'bfloat16'))
    assert list(rows) == ['plain', 'ours', 'ours with bfloat16']
    assert benchmark.largest_difference([2., 3.3], [2., 3.]) == pytest.approx(.1)
    table = [{'row': name, 'largest loss difference': '1.0e-02'} for name in rows]
    benchmark.demand_same_losses(table[2:], rows)  # bfloat16 may differ
    with pytest.raises(SystemExit, match='ours: its losses differ'):
        benchmark.demand_same_losses(table[1:], rows)
    with pytest.raises(SystemExit, match="no row is called 'nonsense'; there are without fused"):
        benchmark.choose_rows(options('--only', 'nonsense'))


def test_a_row_without_enough_memory_is_no_end(load, options, micro_set):
    benchmark = load('training')
    work = load('training_runs').Workload('tiny', str(micro_set), 'cpu', 1, 0, 8, 2, 3)
    rows = benchmark.choose_rows(options('--only'))
    found = dict(seconds=.5, cpu_seconds=.4, megabytes=3, losses=[2.] * 5, lengths=[64] * 3)
    slow, fast = dict(found, seconds=.7), found
    assert benchmark.fastest([slow, fast]) is fast and benchmark.fastest([slow, None]) is None
    plain, ours = benchmark.table(work, rows, {'plain': None, 'ours': found}, {'float32': 1e9})
    assert plain['pairs/s'] == 'out of memory' and plain['seconds a step'] == '-'
    assert ours['pairs/s'] == 16 and ours['times faster'] == '-'
    assert ours['of the peak (%)'] == pytest.approx(ours['GFLOP a pair'] * 16 * 100, rel=.05)
    assert list(plain) == list(ours)


def test_a_gpu_gets_the_published_precision_and_a_reference(load, options):
    rows = load('training').choose_rows(options('--device', 'cuda', '--compile'))
    assert [rows[name].dtype for name in ('plain', 'plain in float32', 'ours')] == [
        'float16', 'float32', 'bfloat16']
    assert rows['ours'].compiled and not rows['ours without compile'].compiled
    assert rows['ours without mixed precision'].dtype == 'float32'
    assert not rows['ours without late losses'].late_losses


def test_flops_are_those_of_the_formula(load):
    """A product of (m, k) and (k, n) costs 2mkn, and twice that backwards."""
    flops, runs = load('matrix_work').flops_a_pair, load('training_runs')
    work = runs.Workload('base', '', 'cpu', 1, 0, 1, 0, 1)
    width, image, text = 768, 311, 64

    def layer(tokens):
        return 3 * (2 * tokens * 12 * width**2 + 4 * tokens**2 * width)

    patches = 2 * 2 * (image - 1) * (16 * 16 * 3) * width  # pixels need no gradient
    pooler = 3 * 2 * width**2
    whole = patches + pooler + 12 * (layer(image) + layer(text))
    assert flops(work, True, True, text) == whole == flops(work, False, False, text)
    # One token is asked, answered and fed forward; keys and values are those of all.
    saved = sum(layer(tokens) - 3 * (2 * tokens * 2 * width**2 + 2 * 10 * width**2
                                     + 4 * tokens * width) for tokens in (image, text))
    assert flops(work, False, True, text) == whole - saved


def test_flops_of_clip_are_those_of_the_formula(load):
    """Attention of a text counts all pairs of places: a causal kernel saves what none counts."""
    flops, runs = load('matrix_work').flops_a_pair, load('training_runs')
    work = runs.Workload('clip', '', 'cpu', 1, 0, 1, 0, 1)
    image, text = (1 + 24 * 8, 768), (77, 512)

    def layer(tokens, width):
        return 3 * (2 * tokens * 12 * width**2 + 4 * tokens**2 * width)

    patches = 2 * 2 * 24 * 8 * (16 * 16 * 3) * 768  # pixels need no gradient
    whole = patches + 12 * (layer(*image) + layer(*text))
    assert flops(work, True, True, 77) == whole == flops(work, False, False, 77)
    saved = sum(layer(tokens, width) - 3 * (
        2 * tokens * 2 * width**2 + 2 * 10 * width**2 + 4 * tokens * width)
        for tokens, width in (image, text))
    assert flops(work, False, True, 77) == whole - saved


def test_the_profile_says_whose_the_time_is(load, micro_set):
    runs, profile = load('training_runs'), load('profile')
    work = runs.Workload('tiny', str(micro_set), 'cpu', 1, 0, batch=8, warmup=1, steps=2)
    plain, ours = (profile.profile(work, runs.Setting(plain=plain)) for plain in (True, False))
    for found in (plain, ours):
        assert found.keys() >= {'matrix products', 'attention and its softmax', 'optimizer',
                                'reading and normalising data', 'layer norms', 'activation'}
        assert all(seconds > 0 for seconds in found.values())
    one = profile.columns('ours', dict(a=.003, b=.001), 'a')
    assert one == {'ours (ms a step)': 3., 'ours (%)': 75.}


def test_the_profiler_knows_the_operations(load):
    profile = load('profile')
    hidden = torch.randn(2, 3, 4, requires_grad=True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        torch.nn.functional.scaled_dot_product_attention(hidden, hidden, hidden)
        torch.nn.functional.layer_norm(hidden @ torch.randn(4, 4), (4,))
        with torch.profiler.record_function('data'):
            torch.nn.functional.gelu(hidden)
    groups = {event.name: profile.group_of(event) for event in profiler.events()}
    assert groups['aten::mm'] == 'matrix products'
    assert groups['aten::native_layer_norm'] == 'layer norms'
    assert groups['aten::gelu'] == 'reading and normalising data'
    assert {group for name, group in groups.items() if 'scaled_dot' in name} == {
        'attention and its softmax'}


def test_command_prints_a_table_and_writes_the_details(tmp_path):
    done = run_tool(['tools/benchmark.py', 'training', '--size', 'tiny', '--rounds', '1',
                     '--steps', '2', '--threads', '1', '--only', '--out', tmp_path], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    plain, ours = json.loads((tmp_path / 'training.json').read_text())['rows']
    assert plain['times faster'] == 1 and ours['times faster'] > 0
    assert ours['GFLOP a pair'] < plain['GFLOP a pair']
    assert 0 < ours['of the peak (%)'] < 100
    assert done.stdout.splitlines()[2].startswith('| plain | ')
