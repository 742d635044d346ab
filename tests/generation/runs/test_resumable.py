"""The base of runs: what is done stays done, wherever a batch ends, on any number of processes."""

import json

import pytest
from fake_parts import make_records

from mmtbps.fileio.pictures import BadPicture
from mmtbps.generation.runs.manifest import OtherRun, Record, load_done, read_records
from mmtbps.generation.runs.plan import Job, read_plan, write_plan
from mmtbps.generation.runs.resumable import ResumableRunner, Work
from mmtbps.generation.runs.run_summary import RunSummary
from mmtbps.generation.runs.source_images import read_source


class Naming(ResumableRunner):
    """Records the name of each image; dies before the image ``dies_at``, fails at ``fails_at``."""

    def run(self, folder, dies_at=None, fails_at=None, **settings):
        self.batches, self.prepared = [], None
        digest, tasks = self._claim(folder / 'plan.jsonl', read_plan(folder / 'plan.jsonl'),
                                    settings)

        def process(batch):
            self.batches.append(len(batch))
            for task in batch:
                name = task.job.source['image']
                if name == dies_at:
                    raise KeyboardInterrupt
                status = 'failed' if name == fails_at else 'accepted'
                yield Record(task.id, status, task.job.source, task.job.edit, {},
                             dict(digest=digest, seed=task.seed))

        return self._work_off(Work(digest, tasks, folder / 'imgs', process), RunSummary())

    def _prepare(self, todo, images):
        self.prepared = [task.job.source['image'] for task in todo], images.name


@pytest.fixture
def planned(tmp_path):
    records = make_records(tmp_path / 'imgs', people=5)  # 10 images
    write_plan(tmp_path / 'plan.jsonl', [
        Job(dict(image=record.image, split='train'), {}, {}) for record in records])
    return tmp_path


def names(out):
    return sorted(record.source['image'] for record in read_records(out))


def test_jobs_come_in_batches_in_the_order_of_the_plan(planned, tmp_path):
    runner = Naming(str(tmp_path / 'out'), batch_size=4, shard='0/1')
    assert runner.run(planned).statuses == {'accepted': 10}
    planned_names = [job.source['image'] for job in read_plan(planned / 'plan.jsonl')]
    assert runner.batches == [4, 4, 2] and runner.prepared == (planned_names, 'imgs')
    found = list(read_records(tmp_path / 'out'))
    assert [record.source['image'] for record in found] == planned_names
    assert all(record.engine['seed'] == int(record.job_id[:12], 16) for record in found)


def test_shards_have_all_jobs_and_none_twice(planned, tmp_path):
    counts = [Naming(str(tmp_path / 'out'), shard=f'{rank}/3').run(planned).total
              for rank in range(3)]
    assert names(tmp_path / 'out') == names_of_plan(planned) and sum(counts) == 10
    for rank, count in enumerate(counts):
        part = (tmp_path / f'out/part-0000{rank}-of-00003.jsonl').read_text().splitlines()
        assert [int(json.loads(line)['job_id'], 16) % 3 for line in part] == count * [rank]


def names_of_plan(folder):
    return sorted(job.source['image'] for job in read_plan(folder / 'plan.jsonl'))


def test_what_a_batch_had_done_before_it_died_is_kept(planned, tmp_path):
    runner = Naming(str(tmp_path / 'out'), batch_size=4, shard='0/1')
    with pytest.raises(KeyboardInterrupt):
        runner.run(planned, dies_at='cam_a/4_0.png')  # the seventh, in the middle of a batch
    assert len(load_done(tmp_path / 'out')) == 6
    assert runner.run(planned).total == 10
    assert runner.batches == [4] and len(runner.prepared[0]) == 4
    assert names(tmp_path / 'out') == names_of_plan(planned)
    assert runner.run(planned).total == 10 and runner.batches == []


def test_failures_are_tried_again_on_request_alone(planned, tmp_path):
    options = dict(out_dir=str(tmp_path / 'out'), shard='0/1')
    Naming(**options).run(planned, fails_at='cam_a/2_1.png')
    assert Naming(**options).run(planned).statuses == {'accepted': 9, 'failed': 1}
    again = Naming(**options, retry_failed=True)
    assert again.run(planned).statuses == {'accepted': 10} and again.batches == [1]


def test_settings_and_plan_own_the_folder(planned, tmp_path):
    runner = Naming(str(tmp_path / 'out'), shard='0/1')
    runner.run(planned, steps=3)
    with pytest.raises(OtherRun, match='settings.steps was 3, now 4'):
        runner.run(planned, steps=4)
    jobs = read_plan(planned / 'plan.jsonl')
    write_plan(planned / 'plan.jsonl', jobs[:5])
    with pytest.raises(OtherRun, match='plan.jobs was 10, now 5'):
        runner.run(planned, steps=3)


def test_options_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        Naming(str(tmp_path), batch_size=0)
    with pytest.raises(ValueError, match="'i/n'"):
        Naming(str(tmp_path), shard='2/2')


def test_a_picture_that_its_decoder_gives_up_has_the_error_for_an_image(tmp_path):
    make_records(tmp_path, people=1)
    path = tmp_path / 'cam_a/1_0.png'
    image, sha256, error = read_source(path)
    assert image.size == (8, 24) and len(sha256) == 64 and error is None
    whole = path.read_bytes()
    for broken in (b'', whole[:40],
                   whole[:36] + b'\0' + whole[37:]):  # length of a chunk
        path.write_bytes(broken)
        image, sha256, error = read_source(path)
        assert image is sha256 is None and isinstance(error, BadPicture)
