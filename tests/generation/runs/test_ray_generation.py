"""Generation on the actors of Ray: the same bytes as of one process, whatever dies."""

import json

import pytest
from fake_parts import DoubleUpscaler, NoiseEditor, outcome, seed_gate
from ray_rig import on_ray

from mmtbps.clusters import work_through
from mmtbps.generation.runs.manifest import load_done, read_run
from mmtbps.generation.runs.runner import ShardedRunner


def spread_here(folder, out, poison=()):
    """Has batches done by a second runner, as an actor has one; the poisonous jobs never."""
    work = ShardedRunner(str(out), batch_size=3, shard='0/1').prepare(
        folder / 'plan.jsonl', folder / 'imgs', DoubleUpscaler(), NoiseEditor(), [seed_gate])

    def attempt(batches):
        return [(number, list(work.process(batch))) for number, batch in reversed(batches.items())
                if not {task.id for task in batch} & set(poison)]

    return lambda batches: work_through(batches, attempt)


def run_spread(folder, out, poison=(), **options):
    return ShardedRunner(str(out), batch_size=3, shard='0/1', **options).run(
        folder / 'plan.jsonl', folder / 'imgs', DoubleUpscaler(), NoiseEditor(), [seed_gate],
        spread=spread_here(folder, out, poison))


def test_batches_done_elsewhere_give_the_same_bytes(planned, quiet, tmp_path):
    run_spread(planned, tmp_path / 'out')
    assert outcome(tmp_path / 'out') == quiet


def test_a_job_that_ends_its_process_has_failed_and_is_tried_again_on_request(planned, quiet,
                                                                               tmp_path):
    out, poison = tmp_path / 'out', sorted(quiet[0])[4]
    summary = run_spread(planned, out, [poison])
    assert summary.statuses['failed'] == 1 and summary.total == len(quiet[0])
    assert summary.reasons == {'it ended its process each time it was tried, alone': 1}
    record = load_done(out)[poison]
    assert record.status == 'failed' and record.source['image'] in record.reason
    assert record.engine['digest'] == read_run(out)['digest']
    assert run_spread(planned, out).statuses['failed'] == 1
    assert run_spread(planned, out, retry_failed=True).statuses['failed'] == 0
    assert load_done(out)[poison].output['sha256'] == quiet[0][poison]['output']['sha256']


@pytest.mark.slow
@pytest.mark.parametrize('kill', ['', 'kill'])
def test_ray_gives_the_same_bytes(planned, quiet, tmp_path, kill):
    (tmp_path / 'notes').mkdir()
    statuses, _ = on_ray('ray_generation_work', 'generate_on_ray', planned, tmp_path / 'out',
                         tmp_path / 'notes', kill)
    assert sum(statuses.values()) == len(quiet[0]) == 20 and 'failed' not in statuses
    assert len(list((tmp_path / 'notes').iterdir())) >= (3 if kill else 1)
    assert outcome(tmp_path / 'out') == quiet


@pytest.mark.slow
def test_a_poisonous_job_on_ray_is_named(planned, quiet, tmp_path):
    (tmp_path / 'notes').mkdir()
    poison = sorted(quiet[0])[4]
    statuses, _ = on_ray('ray_generation_work', 'generate_on_ray', planned, tmp_path / 'out',
                         tmp_path / 'notes', '', poison)
    assert statuses['failed'] == 1 and sum(statuses.values()) == 20
    lines = [json.loads(line) for part in (tmp_path / 'out').glob('part-*.jsonl')
             for line in part.read_text().splitlines()]
    assert len(lines) == len({line['job_id'] for line in lines}) == 20
    assert [line['job_id'] for line in lines if line['status'] == 'failed'] == [poison]
