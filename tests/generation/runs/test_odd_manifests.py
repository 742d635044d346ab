"""Runs that somebody edited, or a disk damaged: report, merging and audit say so in a line."""

import json

import pytest
from fake_parts import make_plan, make_records, marked_controls, run

from mmtbps.generation import merge_run, write_report
from mmtbps.generation.runs.audit import Audit
from mmtbps.generation.runs.set_aside import set_aside_broken
from mmtbps.records import RecordError


@pytest.fixture
def done(tmp_path):
    make_plan(tmp_path)
    run(tmp_path, tmp_path / 'out', controls=marked_controls)
    return tmp_path / 'out'


def users(out):
    return (lambda: write_report(out, out.parent / 'imgs'),
            lambda: merge_run(out, make_records(out.parent / 'imgs')), lambda: Audit(out))


@pytest.mark.parametrize('change, message', [
    (lambda line: line['gates']['seed'].pop('ok'), "gate 'seed': key 'ok' must be true or false"),
    (lambda line: line['gates'].update(seed=[]), "gate 'seed': expected an object"),
    (lambda line: line['gates']['seed'].update(value='2'), "'value' must be a number or null"),
    (lambda line: line['gates']['seed'].update(value=float('nan')), "'value' must be a number"),
    (lambda line: line['gates']['seed'].update(min=[]), "'min' must be a number or null"),
    (lambda line: line.update(controls=dict(marked='yes')), "control 'marked': true or false"),
    (lambda line: line.update(controls=dict(marked=None)), "control 'marked': true or false")])
def test_verdicts_that_are_none_are_named_and_can_be_set_aside(done, change, message):
    """A control that let the edit pass with a word would count as refused."""
    part, = done.glob('part-*.jsonl')
    first, *rest = part.read_text().splitlines(keepends=True)
    line = json.loads(first)
    change(line)
    part.write_text(json.dumps(line) + '\n' + ''.join(rest))
    for use in users(done):
        with pytest.raises(RecordError, match=rf'jsonl:1.*{message}') as refused:
            use()
        assert refused.value.remedy.action == 'set_aside'
    assert len(set_aside_broken(done)) == 1
    for use in users(done)[:2]:
        use()


@pytest.mark.parametrize('change, message', [
    (lambda note: note.clear(), "run.json: key 'digest' is missing"),
    (lambda note: note.pop('plan'), "run.json: key 'plan' is missing"),
    (lambda note: note.update(plan={}), "run.json, plan: key 'jobs' is missing"),
    (lambda note: note.update(settings=[]), "run.json: key 'settings' must be an object")])
def test_a_note_of_the_run_without_its_keys_is_named(done, change, message):
    note = json.loads((done / 'run.json').read_text())
    change(note)
    (done / 'run.json').write_text(json.dumps(note))
    for use in users(done):
        with pytest.raises(RecordError, match=message):
            use()
    (done / 'run.json').write_text('[]')
    with pytest.raises(RecordError, match='run.json: expected an object'):
        users(done)[0]()
