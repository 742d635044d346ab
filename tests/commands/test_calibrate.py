"""Calibration through the command line: a run, labels of its edits, bounds, and a run with them."""

import json
from functools import partial
from pathlib import Path

import pytest

from mmtbps.commands.main import run_command
from mmtbps.generation import load_done
from mmtbps.generation.runs.manifest import read_run

main = partial(run_command, 'generate')

CONFIG = Path(__file__).resolve().parents[2] / 'configs/generation/pdg_recolor.py'


@pytest.fixture
def call(micro_set):
    def call(command, out, *options, words=()):
        main([command, str(CONFIG), *map(str, words), '--cfg-options',
              f'dataset.data_root={micro_set}', f'generation.runner.out_dir={out}',
              'generation.upscaler.size=(96,32)', 'generation.runner.num_controls=(0,0.)',
              'generation.planner.max_edits=24',
              *options])
    return call


def test_labels_of_a_run_bound_the_gates_of_the_next(call, tmp_path, capsys, refused):
    first, second = tmp_path / 'first', tmp_path / 'second'
    for command in ('plan', 'run'):
        call(command, first)
    records = load_done(first)
    strengths = {key: record.gates['edit_strength']['value'] for key, record in records.items()}
    limit = sorted(strengths.values())[len(strengths) // 3]
    labels = tmp_path / 'labels.jsonl'
    labels.write_text(''.join(json.dumps(dict(
        job_id=key, label='right' if value >= limit else 'wrong')) + '\n'
        for key, value in strengths.items()))
    capsys.readouterr()
    call('calibrate', first, words=(labels, '--precision', .99))
    printed = capsys.readouterr().out
    assert "generation['bounds'] = " in printed and 'edit_strength: low ' in printed
    bounds = json.loads((tmp_path / 'bounds.json').read_text())
    low = bounds['bounds']['edit_strength']['low']
    below = max(value for value in strengths.values() if value < limit)
    assert below < low < limit
    assert bounds['source'].startswith('labels.jsonl (sha256 ') and '24 edits' in bounds['source']
    assert 'of jobs that' not in printed
    own = {key: dict(edit_strength=dict(value=value)) for key, value in strengths.items()}
    (tmp_path / 'others.jsonl').write_text(''.join(json.dumps(dict(
        job_id=f'of-another-run-{key}', label='right', gates=gates)) + '\n'
        for key, gates in own.items()))
    call('calibrate', first, words=(tmp_path / 'others.jsonl', '--out', tmp_path / 'others.json'))
    assert f'24 of 24 labels are of jobs that {first} does not have' in capsys.readouterr().out

    call('plan', second)
    call('run', second, f'generation.bounds={tmp_path / "bounds.json"}')
    gate, = (gate for gate in read_run(second)['settings']['gates']
             if gate['type'] == 'EditStrengthGate')
    assert (gate['low'], gate['bounds_source']) == (low, bounds['source'])
    accepted = [record for record in load_done(second).values() if record.status == 'accepted']
    assert accepted and all(r.gates['edit_strength']['value'] >= low for r in accepted)
    call('report', second)
    assert 'Bounds of ' in (second / 'report.html').read_text()

    labels.write_text('{"job_id": "0", "label": "right"}\n')
    with refused("retell_rules.py: generation has no 'gates'"):
        main(['calibrate', str(CONFIG.with_name('retell_rules.py')), str(labels),
              '--cfg-options', f'generation.runner.out_dir={first}'])
    with refused('job 0: the label has no values of gates'):
        call('calibrate', first, words=(labels, ))
    with refused('none.json not found: it should hold the bounds'):
        call('run', second, f'generation.bounds={tmp_path / "none.json"}')
