"""Kill campaigns on a job of ten files, which writes them durably or trusts a torn one."""

import re

import pytest
from campaigns import content, differences, first_of_their_words, kill_again_and_again, pattern
from killed_processes import Tools, spread

JOB = '''
import os, sys
from pathlib import Path
folder = Path(sys.argv[1])
for name in map(str, range(10)):
    partial = folder / (name + '.partial')
    if (folder / name).exists():
        continue
    if sys.argv[2] == 'durable' or not partial.exists():
        partial.write_bytes(b'0123456789')
    os.replace(partial, folder / name)
'''


@pytest.fixture(scope='module')
def quick_tools():
    with Tools(()) as tools:
        yield tools


@pytest.fixture
def job(quick_tools, tmp_path):
    """A function: makes the job, of one of two kinds, for a campaign."""
    (tmp_path / 'job.py').write_text(JOB)

    def make(kind):
        def run(folder, kill, **_):
            folder.mkdir(exist_ok=True)
            return quick_tools.run(tmp_path / 'job.py', folder, kind, watch=folder, kill=kill,
                                   calls=['pathlib:Path.exists'])
        return run

    return make


@pytest.mark.parametrize('in_a_row', [1, 2])
def test_a_job_that_writes_durably_survives(job, tmp_path, in_a_row):
    kill_again_and_again('durable', job('durable'), content, tmp_path, in_a_row=in_a_row)


def test_a_job_that_leaves_torn_files_is_found_out(job, tmp_path):
    with pytest.raises(AssertionError, match=r"after \['write \d.partial'\]: \['/\d: "):
        kill_again_and_again('torn', job('careless'), content, tmp_path)


def test_a_write_is_torn_in_half_and_steps_are_counted(job, tmp_path):
    ended = job('durable')(tmp_path / 'one', 'write 1')
    assert ended.killed and ended.steps[-1] == 'write 1.partial'
    assert (tmp_path / 'one/1.partial').read_bytes() == b'01234'
    assert ended.steps.count('call Path.exists') == 2
    assert job('durable')(tmp_path / 'one', None).code == 0
    assert sorted(content(tmp_path / 'one')) == [*map(str, range(10))]


def test_moments_are_spread_and_their_words_are_told_apart():
    steps = [f'{kind} {n}.partial' for n in range(20) for kind in ('open', 'write', 'rename')]
    moments = spread(steps, 20, writes=('write', 3))
    assert len(set(moments)) == 20 and moments[0] < 10 and moments[-1] > 50
    assert sum('open' not in steps[moment - 1] for moment in moments) >= 8
    with pytest.raises(AssertionError, match='0 steps'):
        spread(steps, links=('link', 1))
    part = 'write part-0123456789abcdef.json'
    other = part.replace('0123', '3210')
    assert first_of_their_words([part, 'x', other, 'open 20261128_101010/a']) == [part, 'x']
    assert re.match(pattern(part), other) and not re.match(pattern(part), 'write part-01.json')


def test_differences_name_the_place():
    assert not differences({'a': [1], 'b': {'c': 2}}, {'a': [1], 'b': {'c': 2}})
    assert differences({'a': 1, 'b': {'c': 2}}, {'b': {'c': 2.0}}) == [
        '/a: 1 -> None', '/b/c: 2 -> 2.0']
