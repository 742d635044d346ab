"""The sharded run: killed anywhere, on any number of processes, it ends as a quiet single one."""

import hashlib
import json

import numpy as np
import pytest
from fake_parts import (
    NoiseEditor,
    infinite_gate,
    make_plan,
    marked_controls,
    outcome,
    run,
    seed_gate,
    unmarked_controls,
)
from odd_pictures import ODD_PICTURES
from PIL import Image

from mmtbps.errors import UserError
from mmtbps.fileio import JobShard
from mmtbps.generation.editing.base import EditRequest
from mmtbps.generation.quality.gates import GateVerdict
from mmtbps.generation.runs.manifest import ENGINE_VERSION, load_done, read_records
from mmtbps.generation.runs.plan import read_plan
from mmtbps.generation.runs.progress import RunProgress
from mmtbps.generation.runs.run_summary import InvalidRun, RunSummary
from mmtbps.generation.runs.runner import ShardedRunner


def test_a_record_says_all(planned, quiet):
    rows, files = quiet
    jobs = read_plan(planned / 'plan.jsonl')
    assert len(rows) == len(jobs) == len(files) == 20
    assert {row['status'] for row in rows.values()} == {'accepted', 'rejected'}
    for key, row in rows.items():
        assert row['status'] == ('rejected' if row['engine']['seed'] % 3 == 0 else 'accepted')
        assert row['engine']['seed'] == int(key[:12], 16)
        source = (planned / 'imgs' / row['source']['image']).read_bytes()
        assert row['source']['sha256'] == hashlib.sha256(source).hexdigest()
        assert row['output']['size'] == [48, 16]
        assert row['gates']['seed'] == dict(value=row['engine']['seed'] % 3, min=1.,
                                            max=None, ok=row['status'] == 'accepted')
    record = next(read_records(planned / 'quiet'))
    assert record.cost['unet_evals'] == 5 and record.cost['sr_evals'] == 2


def test_the_image_is_the_editors(planned, quiet):
    record = next(read_records(planned / 'quiet'))
    job = next(job for job in read_plan(planned / 'plan.jsonl')
               if job.edit == record.edit and job.source['image'] == record.source['image'])
    with Image.open(planned / 'imgs' / record.source['image']) as image:
        request: EditRequest = job.request(
            record.job_id, image.resize((16, 48)), record.engine['seed'])
    expected = np.asarray(NoiseEditor().edit([request])[0].image)
    found = np.asarray(Image.open(planned / 'quiet' / record.output['file']))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize('batch_size, world', [(1, 1), (7, 1), (100, 1), (3, 4), (2, 30)])
def test_batches_and_processes_do_not_matter(planned, quiet, tmp_path, batch_size, world):
    for rank in range(world):
        run(planned, tmp_path, f'{rank}/{world}', batch_size=batch_size)
    assert outcome(tmp_path) == quiet


def test_a_second_start_does_nothing(planned, quiet, tmp_path):
    run(planned, tmp_path)
    editor = NoiseEditor()
    summary = run(planned, tmp_path, editor=editor)
    assert editor.batches == [] and summary.total == 20
    assert outcome(tmp_path) == quiet


def test_another_engine_is_refused(planned, tmp_path):
    run(planned, tmp_path)
    before = outcome(tmp_path)
    with pytest.raises(UserError, match='settings.editor.strength was 9, now 10'):
        run(planned, tmp_path, editor=NoiseEditor(10))
    with pytest.raises(ValueError, match='settings.gates was'):
        run(planned, tmp_path, gates=[seed_gate, infinite_gate])
    with pytest.raises(ValueError, match='settings.output_size was'):
        run(planned, tmp_path, output_size='source')
    assert outcome(tmp_path) == before


def test_a_gate_must_be_comparable(planned, tmp_path):
    class Gate:
        low = 3

        def __init__(self, model):
            self.model = model

        def __call__(self, request, result):
            return GateVerdict('gate', 1., True)

    with pytest.raises(TypeError, match='Gate.model is a object.*digest_fields'):
        run(planned, tmp_path, gates=[Gate(object())])
    run(planned, tmp_path, gates=[Gate(0.5)])
    with pytest.raises(ValueError, match='settings.gates was'):
        run(planned, tmp_path, gates=[Gate(0.6)])


def test_broken_and_missing_images_are_counted_with_their_reason(tmp_path):
    make_plan(tmp_path)
    (tmp_path / 'imgs/cam_a/1_0.png').write_bytes(b'no image')
    (tmp_path / 'imgs/cam_a/2_0.png').unlink()
    whole = (tmp_path / 'imgs/cam_a/3_0.png').read_bytes()
    (tmp_path / 'imgs/cam_a/3_0.png').write_bytes(whole[:40])
    summary = run(tmp_path, tmp_path / 'out')
    assert summary.statuses['failed'] == 6 and summary.total == 16
    assert summary.reasons == {'broken image': 4, 'missing image': 2}
    failed = [r for r in read_records(tmp_path / 'out') if r.status == 'failed']
    assert all(record.source['image'] in record.reason for record in failed)
    editor = NoiseEditor()
    assert run(tmp_path, tmp_path / 'out', editor=editor).statuses['failed'] == 6
    assert editor.batches == []
    (tmp_path / 'imgs/cam_a/3_0.png').write_bytes(whole)
    assert run(tmp_path, tmp_path / 'out', retry_failed=True).statuses['failed'] == 4
    assert sum(r.status == 'failed' for r in load_done(tmp_path / 'out').values()) == 4


@pytest.mark.parametrize('name', ODD_PICTURES)
def test_editors_are_given_pictures_as_a_person_sees_them(tmp_path, name):
    make_plan(tmp_path)
    write, top, bottom = ODD_PICTURES[name]
    for path in (tmp_path / 'imgs').rglob('*.png'):
        write(path)
    given = []

    class Watcher(NoiseEditor):
        def edit(self, requests):
            given.extend(request.image for request in requests)
            return super().edit(requests)

    run(tmp_path, tmp_path / 'out', editor=Watcher())
    assert len(given) == 16
    for image in given:
        assert image.mode == 'RGB' and image.size == (16, 48)
        for row, color in ((2, top), (45, bottom)):
            assert image.getpixel((8, row)) == pytest.approx(color, abs=2)


def test_a_wrong_image_folder_is_no_heap_of_failures(tmp_path):
    make_plan(tmp_path)
    (tmp_path / 'imgs').rename(tmp_path / 'elsewhere')
    with pytest.raises(FileNotFoundError, match='image folder'):
        run(tmp_path, tmp_path / 'out')
    (tmp_path / 'imgs').mkdir()
    with pytest.raises(FileNotFoundError, match='none of the first 16 images.*right folder'):
        run(tmp_path, tmp_path / 'out')


def test_controls_that_are_refused_are_counted(planned, tmp_path):
    for rank in range(2):
        summary = run(planned, tmp_path, f'{rank}/2', controls=marked_controls,
                      num_controls=(12, 0.))
    assert summary.controls.keys() <= {'marked'}
    tried = {r.job_id for r in read_records(tmp_path) if r.controls}
    assert tried == set(sorted(load_done(tmp_path))[:12])  # the same on any number of processes
    assert not any(r.controls.get('marked') for r in read_records(tmp_path))


def test_controls_that_pass_make_the_run_invalid(planned, tmp_path):
    with pytest.raises(InvalidRun, match="invalid: the gates accept .* 'unmarked' controls"):
        run(planned, tmp_path, controls=unmarked_controls)
    assert 0 < len(load_done(tmp_path)) < 20  # stopped as soon as it was clear
    with pytest.raises(InvalidRun):  # and stays invalid
        run(planned, tmp_path, controls=unmarked_controls)


def test_a_few_controls_may_pass():
    summary = RunSummary(max_control_rate=.1, min_controls=10)
    summary.controls = {'other person': {True: 1, False: 9}, 'new': {True: 3, False: 0}}
    assert summary.passing_controls() == []
    summary.controls['other person'] = {True: 2, False: 9}
    assert len(summary.passing_controls()) == 1


def test_an_editor_that_loses_a_job_is_noticed(planned, tmp_path):
    class Loser(NoiseEditor):
        def edit(self, requests):
            return super().edit(requests)[::-1]

    with pytest.raises(RuntimeError, match='Loser must give one result a request, in order'):
        run(planned, tmp_path, editor=Loser())


@pytest.mark.parametrize('size, expected', [('source', [24, 8]), ((12, 6), [12, 6])])
def test_output_sizes(planned, tmp_path, size, expected):
    run(planned, tmp_path, output_size=size)
    record = next(read_records(tmp_path))
    assert record.output['size'] == expected
    assert Image.open(tmp_path / record.output['file']).size == tuple(expected[::-1])


def test_progress_names_what_is_left():
    summary = RunSummary()
    summary.statuses.update(accepted=3, rejected=1, failed=1)
    progress = RunProgress(25, summary, interval=10., title='shard 0/1')
    summary.statuses.update(accepted=4, rejected=1)
    assert progress.line(elapsed=10.) == (
        'shard 0/1: 10/25 jobs, 77.8 % accepted, 1 failed, 2.00 s a job, 0:00:30 left')


@pytest.mark.parametrize('env, expected', [
    ({}, (0, 1)), (dict(RANK='2', WORLD_SIZE='4'), (2, 4)),
    (dict(SLURM_ARRAY_TASK_ID='3', SLURM_ARRAY_TASK_COUNT='8'), (3, 8)),
    (dict(SLURM_ARRAY_TASK_ID='3', SLURM_ARRAY_TASK_COUNT='3', SLURM_ARRAY_TASK_MIN='1'), (2, 3)),
    (dict(SLURM_ARRAY_TASK_ID='6', SLURM_ARRAY_TASK_COUNT='3', SLURM_ARRAY_TASK_MIN='2',
          SLURM_ARRAY_TASK_STEP='2'), (2, 3)),
    (dict(SLURM_ARRAY_TASK_ID='1', SLURM_ARRAY_TASK_COUNT='2', RANK='1', WORLD_SIZE='4'), (5, 8)),
])
def test_the_shard_of_an_environment(env, expected):
    assert JobShard.from_environment(env) == expected


def test_wrong_shards():
    with pytest.raises(ValueError, match='number the array 0 to n-1'):
        JobShard.from_environment(dict(SLURM_ARRAY_TASK_ID='7', SLURM_ARRAY_TASK_COUNT='2',
                                    SLURM_ARRAY_TASK_MIN='3'))
    for text in ('4/4', '1', 'a/b', '-1/2', '1/0'):
        with pytest.raises(ValueError, match="'i/n'"):
            JobShard.parse(text)


def test_wrong_settings(tmp_path):
    with pytest.raises(ValueError, match='batch_size'):
        ShardedRunner(str(tmp_path), batch_size=0)
    for size in ('big', (1, 2, 3)):
        with pytest.raises(ValueError, match='output_size'):
            ShardedRunner(str(tmp_path), output_size=size)


def test_run_json_names_the_engine(planned, quiet):
    found = json.loads((planned / 'quiet/run.json').read_text())
    assert found['settings']['editor'] == dict(type='NoiseEditor', strength=9)
    assert found['settings']['gates'] == [dict(type='seed_gate')]
    assert {row['engine']['digest'] for row in quiet[0].values()} == {found['digest']}


def test_another_version_of_the_package_goes_on(planned, quiet, tmp_path, monkeypatch):
    """The digest has a version of its own, so that a release does not refuse half-done runs."""
    assert json.loads((planned / 'quiet/run.json').read_text())['settings']['version'] == '0.1.0'
    run(planned, tmp_path, '0/2')
    monkeypatch.setattr('mmtbps.version.__version__', '9.9.9')
    monkeypatch.setattr('mmtbps.__version__', '9.9.9')
    run(planned, tmp_path, '1/2')
    assert outcome(tmp_path) == quiet and ENGINE_VERSION == '0.1.0'
    monkeypatch.setattr('mmtbps.generation.runs.runner.ENGINE_VERSION', '0.2.0')
    with pytest.raises(ValueError, match="settings.version was '0.1.0', now '0.2.0'"):
        run(planned, tmp_path, '1/2')
