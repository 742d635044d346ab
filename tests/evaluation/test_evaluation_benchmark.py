"""The benchmark compares two evaluators that agree, and its command runs."""

import argparse
import importlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from mmtbps.evaluation import evaluate_ranking

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(monkeypatch):
    """The module, which measures here and not in a process for each evaluator."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    module = importlib.import_module('benchmarks.evaluation')
    monkeypatch.setattr(module, 'ProcessPoolExecutor',
                        lambda count, mp_context: ThreadPoolExecutor(count))
    return module


def measured(benchmark, **options):
    return benchmark.run(argparse.Namespace(
        sizes=['rstp'], width=16, threads=torch.get_num_threads(), repeats=1,
        **{'distractors': 0, 'store': 'float16', **options}))


@pytest.mark.parametrize('tied', [False, True])
def test_plain_evaluation_gives_the_same_numbers(benchmark, tied):
    draw = torch.Generator().manual_seed(0)
    queries, gallery = (torch.randn(count, 16, generator=draw) for count in (60, 45))
    if tied:
        queries, gallery = queries.sign(), gallery.sign()
    query_ids, gallery_ids = torch.arange(60) % 7, torch.arange(45) % 7
    plain = benchmark.plain_evaluation(queries, query_ids, gallery, gallery_ids)
    ours = evaluate_ranking(queries, query_ids, gallery, gallery_ids)
    assert plain == pytest.approx({name: ours[name] for name in plain}, abs=1e-4)
    assert list(plain) == list(ours)[:6]


def test_every_row_is_held_against_the_product(benchmark):
    product, plain, ours = rows = measured(benchmark)
    assert [row['evaluator'] for row in rows] == [
        'product alone', 'full argsort', 'evaluate_ranking']
    assert product['x the product'] == 1 and product['R1'] == ''
    assert ours['times faster'] > 0 and plain['times faster'] == 1
    assert plain['R1'] == ours['R1'] and 0 < ours['R1'] < 100


@pytest.mark.parametrize('store', ['float16', 'float32'])
def test_distractors_are_streamed_and_lower_the_numbers(benchmark, store):
    *_, without = measured(benchmark)
    rows = measured(benchmark, distractors=3000, store=store)
    assert {row['queries x gallery'] for row in rows} == {'2,000 x 4,000'}
    product, plain, joined, streamed = rows
    assert streamed['evaluator'] == 'evaluate_streamed'
    assert plain['R1'] == joined['R1'] == streamed['R1'] < without['R1']


def test_what_does_not_fit_is_left_out(benchmark):
    assert benchmark._evaluators(6_156 * 1_003_074, 1_000_000) == [
        'product alone', 'evaluate_streamed']
    assert benchmark._evaluators(19_848 ** 2, 0) == [
        'product alone', 'full argsort', 'evaluate_ranking']


def test_the_product_covers_every_entry(benchmark, monkeypatch):
    queries, seen, product = torch.ones(1500, 4), [], torch.mm
    monkeypatch.setattr(torch, 'mm', lambda left, right, out: (
        seen.append(len(left) * right.shape[1]), product(left, right, out=out))[1])
    benchmark.product_alone(queries, torch.ones(7, 4), 23)
    assert sum(seen) == 1500 * 23


def test_different_numbers_end_the_command(benchmark, monkeypatch):
    monkeypatch.setitem(benchmark.EVALUATORS, 'evaluate_ranking', lambda *features: {
        **benchmark.evaluate_ranking(*features), 'mINP': 0.})
    with pytest.raises(SystemExit, match='rstp: mINP differs, .* by full argsort'):
        measured(benchmark)


@pytest.mark.slow
def test_command_prints_a_table_and_writes_the_details(tmp_path):
    done = subprocess.run(
        [sys.executable, 'tools/benchmark.py', 'evaluation', '--sizes', 'rstp', '--width', '16',
         '--threads', '1', '--distractors', '500', '--out', str(tmp_path)], cwd=ROOT,
        capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / 'evaluation.json').read_text())
    assert [row['queries x gallery'] for row in report['rows']] == ['2,000 x 1,500'] * 4
    assert report['environment']['threads'] == 1
    assert done.stdout.splitlines()[2].startswith('| rstp | 2,000 x 1,500 | product alone | ')
