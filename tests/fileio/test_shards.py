"""Parts of the work: each piece has one owner, whatever the number of processes."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.fileio import JobShard


@pytest.mark.parametrize('count', [1, 2, 3, 7])
def test_every_piece_has_one_owner_and_parts_are_even(count):
    shards = [JobShard(index, count) for index in range(count)]
    ids = [bytes(np.random.default_rng(n).bytes(8)).hex() for n in range(700)]
    names = [f'cam_{n % 5}/{n:05d}.jpg' for n in range(700)]
    for owns, pieces in (('owns_id', ids), ('owns_name', names)):
        owned = np.array([[getattr(shard, owns)(piece) for piece in pieces] for shard in shards])
        assert (owned.sum(0) == 1).all()
        assert (owned.sum(1) > .6 * 700 / count).all()


def test_owners_are_those_of_files_written_before():
    """Galleries and runs that are half done go on with the same parts."""
    assert [JobShard(part, 4).owns_id('7c1e9f20a4b3d852') for part in range(4)] == [
        False, False, True, False]
    owners = [next(part for part in range(3) if JobShard(part, 3).owns_name(name))
              for name in ('cam_a/0001.jpg', 'cam_b/0002.jpg', 'ü/男.png', '\udcff.jpg')]
    assert owners == [0, 1, 2, 2]


@pytest.mark.parametrize('text', ['0/1', '3/4', '10/11'])
def test_written_and_read(text):
    assert str(JobShard.parse(text)) == text


@pytest.mark.parametrize('text', ['4/4', '0/0', '-1/2', '1', 'a/b', '1/2/3', '1/2 ', ''])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(BadValue, match="must be 'i/n'"):
        JobShard.parse(text)


@pytest.mark.parametrize('env, expected', [
    ({}, '0/1'),
    (dict(RANK='1', WORLD_SIZE='4'), '1/4'),
    (dict(SLURM_ARRAY_TASK_ID='3', SLURM_ARRAY_TASK_COUNT='5'), '3/5'),
    (dict(SLURM_ARRAY_TASK_ID='14', SLURM_ARRAY_TASK_COUNT='3', SLURM_ARRAY_TASK_MIN='10',
          SLURM_ARRAY_TASK_STEP='2'), '2/3'),
    (dict(SLURM_ARRAY_TASK_ID='1', SLURM_ARRAY_TASK_COUNT='3', RANK='1', WORLD_SIZE='2'), '3/6')])
def test_the_part_of_this_process(env, expected):
    assert str(JobShard.from_environment(env)) == expected


def test_all_ranks_of_all_tasks_share_the_work():
    parts = {JobShard.from_environment(dict(
        SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT='3', RANK=str(rank),
        WORLD_SIZE='4')) for task in range(3) for rank in range(4)}
    assert parts == {JobShard(part, 12) for part in range(12)}


@pytest.mark.parametrize('number', ['11', '20'])
def test_uneven_arrays_are_refused(number):
    with pytest.raises(BadValue, match='number the array 0 to n-1'):
        JobShard.from_environment(dict(
            SLURM_ARRAY_TASK_ID=number, SLURM_ARRAY_TASK_COUNT='3', SLURM_ARRAY_TASK_MIN='10',
            SLURM_ARRAY_TASK_STEP='2'))


@pytest.mark.parametrize(('env', 'said'), [
    (dict(SLURM_ARRAY_TASK_ID='1'), 'SLURM_ARRAY_TASK_COUNT is missing: name the shard'),
    (dict(SLURM_ARRAY_TASK_ID='1', SLURM_ARRAY_TASK_COUNT='two'), 'TASK_COUNT is two'),
    (dict(SLURM_ARRAY_TASK_ID='', SLURM_ARRAY_TASK_COUNT='2'), 'TASK_ID is ')])
def test_a_variable_that_is_missing_or_no_number_is_named(env, said):
    with pytest.raises(BadValue, match=said):
        JobShard.from_environment(env)
