"""The benchmark compares two evaluators that agree, and its command runs."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmtbps.evaluation import evaluate_ranking

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plain_evaluation(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    return importlib.import_module('benchmarks.plain_evaluation').plain_evaluation


@pytest.mark.parametrize('tied', [False, True])
def test_plain_evaluation_gives_the_same_numbers(plain_evaluation, tied):
    draw = torch.Generator().manual_seed(0)
    queries, gallery = (torch.randn(count, 16, generator=draw) for count in (60, 45))
    if tied:
        queries, gallery = queries.sign(), gallery.sign()
    query_ids, gallery_ids = torch.arange(60) % 7, torch.arange(45) % 7
    plain = plain_evaluation(queries, query_ids, gallery, gallery_ids)
    ours = evaluate_ranking(queries, query_ids, gallery, gallery_ids)
    assert plain == pytest.approx({name: ours[name] for name in plain}, abs=1e-4)
    assert list(plain) == list(ours)[:6]


def test_command_prints_a_table_and_writes_the_details(tmp_path):
    done = subprocess.run(
        [sys.executable, 'tools/benchmark.py', 'evaluation', '--sizes', 'rstp', '--width', '16',
         '--threads', '1', '--out', str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / 'evaluation.json').read_text())
    plain, ours = report['rows']
    assert plain['queries x gallery'] == '2,000 x 1,000' and ours['times faster'] > 0
    assert plain['R1'] == ours['R1'] and 0 < ours['R1'] < 100
    assert report['environment']['threads'] == 1
    assert done.stdout.splitlines()[2].startswith('| rstp | 2,000 x 1,000 | full argsort | ')
