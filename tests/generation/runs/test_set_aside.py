"""Broken and repeated lines of a manifest: named, refused, and set aside on request."""

import json
from dataclasses import replace

import pytest

from mmtbps.errors import Remedy
from mmtbps.fileio import LockTaken
from mmtbps.generation.runs.manifest import ManifestPart, Record, load_done
from mmtbps.generation.runs.merge import check_sources
from mmtbps.generation.runs.plan import read_plan
from mmtbps.generation.runs.set_aside import count_set_aside, set_aside_broken
from mmtbps.records import PairRecord, RecordError

FIRST = Record('01', 'rejected', dict(image='a.jpg'), dict(noun='coat'),
               dict(captions=['A coat.']), dict(digest='d', seed=3), time='noon')
SECOND, THIRD = replace(FIRST, job_id='02'), replace(FIRST, job_id='03')
NAME = 'part-00000-of-00001.jsonl'


def line(record):
    return json.dumps(record.to_json()).encode() + b'\n'


def write(folder, *lines, name=NAME):
    (folder / name).write_bytes(b''.join(lines))


BROKEN = {
    'cut': (line(FIRST)[:40] + b'\n', 'broken JSON'),
    'no UTF-8': (b'{"job_id": "\xff"}\n', 'not UTF-8 text'),
    'a list': (b'[1, 2]\n', 'expected an object'),
    'another status': (line(FIRST).replace(b'"rejected"', b'"good"'), "got 'good'"),
    'an image outside': (line(replace(FIRST, output=dict(file='../x.png'))), 'leads out'),
    'the image of another job': (line(replace(FIRST, job_id='04', output=dict(
        file='images/01/01.png'))), 'not that of job 04'),
    'a caption that is a number': (line(replace(FIRST, output=dict(captions=[1]))),
                                   'captions must be strings'),
    'a measurement in words': (line(replace(FIRST, gates=dict(strength=dict(
        value='high', ok=True)))), "'value' must be a number"),
    'a copy': (line(SECOND), 'job 02 a second time, a copy of'),
    'a contradiction': (line(replace(SECOND, status='accepted', time='two')),
                        'job 02 a second time, which contradicts'),
    'another caption': (line(replace(SECOND, output=dict(captions=['A hat.']), time='two')),
                        'job 02 a second time, which contradicts')}


@pytest.mark.parametrize('name', BROKEN)
def test_a_broken_line_is_refused_and_set_aside(name, tmp_path):
    broken, says = BROKEN[name]
    write(tmp_path, line(FIRST), line(SECOND), broken, line(THIRD))
    with pytest.raises(RecordError, match=f'{NAME}:3: .*{says}') as error:
        load_done(tmp_path)
    assert error.value.remedy == Remedy('set_aside')
    moved, = set_aside_broken(tmp_path)
    assert (moved.part.name, moved.number) == (NAME, 3) and says in str(moved)
    assert moved.kept_in.read_bytes() == broken and count_set_aside(tmp_path) == 1
    assert (tmp_path / NAME).read_bytes() == line(FIRST) + line(SECOND) + line(THIRD)
    assert list(load_done(tmp_path)) == ['01', '02', '03']
    assert set_aside_broken(tmp_path) == [] and count_set_aside(tmp_path) == 1


@pytest.mark.parametrize('lines', [
    (replace(FIRST, status='failed', reason='missing image: a'), FIRST),
    (FIRST, replace(FIRST, time='later', cost=dict(seconds=2), shard='1/2')),
    (FIRST, replace(FIRST, status='failed', reason='missing image: a'))])
def test_second_lines_of_a_run_are_no_fault(lines, tmp_path):
    write(tmp_path, *map(line, lines))
    assert load_done(tmp_path) == {'01': FIRST} and set_aside_broken(tmp_path) == []


def test_a_job_in_two_parts_is_named_by_both(tmp_path):
    write(tmp_path, line(FIRST), name='part-00000-of-00002.jsonl')
    write(tmp_path, line(replace(FIRST, status='accepted')), name='part-00001-of-00002.jsonl')
    with pytest.raises(RecordError, match='00001-of-00002.jsonl:1: job 01 .* contradicts '
                                          '.*00000-of-00002.jsonl:1'):
        load_done(tmp_path)
    moved, = set_aside_broken(tmp_path)
    assert moved.part.name == 'part-00001-of-00002.jsonl'


def test_a_line_of_another_run_is_refused(tmp_path):
    (tmp_path / 'run.json').write_text('{"digest": "d"}')
    strange = replace(SECOND, engine=dict(digest='other', seed=3))
    write(tmp_path, line(FIRST), line(strange))
    with pytest.raises(RecordError, match=f'{NAME}:2: job 02 is of run other, and this .* d'):
        load_done(tmp_path)
    moved, = set_aside_broken(tmp_path)
    assert 'is of run other' in str(moved) and list(load_done(tmp_path)) == ['01']


def test_a_torn_last_line_stays_for_the_run(tmp_path):
    write(tmp_path, line(FIRST), b'{"schema')
    assert set_aside_broken(tmp_path) == []
    assert (tmp_path / NAME).read_bytes() == line(FIRST) + b'{"schema'


def test_a_kill_in_between_loses_and_repeats_nothing(tmp_path):
    write(tmp_path, line(FIRST), b'broken\n', b'worse\n')
    (tmp_path / f'{NAME}.set-aside').write_bytes(b'broken\n')
    assert len(set_aside_broken(tmp_path)) == 2
    assert (tmp_path / f'{NAME}.set-aside').read_bytes() == b'broken\nworse\n'


def test_a_part_at_work_is_left_alone(tmp_path):
    with ManifestPart(tmp_path, (0, 1)):
        with pytest.raises(LockTaken, match='is being written: wait for the run'):
            set_aside_broken(tmp_path)


def test_a_plan_with_one_job_twice_is_refused(tmp_path, planned):
    lines = (planned / 'plan.jsonl').read_text().splitlines(keepends=True)
    twice = tmp_path / 'plan.jsonl'
    twice.write_text(''.join([*lines[:3], lines[1]]))
    with pytest.raises(RecordError, match=r'plan.jsonl:4: the edit of .* that line 2 has') as error:
        read_plan(twice)
    assert error.value.remedy == Remedy('generate_plan')
    assert len(read_plan(planned / 'plan.jsonl')) == len(lines)


@pytest.mark.parametrize('section, key', [
    ('source', 'image'), ('source', 'person_id'), ('source', 'split'), ('edit', 'kind'),
    ('output', 'captions'), ('output', 'file')])
def test_an_accepted_line_that_makes_no_pair_is_set_aside_and_not_merged(tmp_path, section, key):
    whole = Record('01', 'accepted', dict(image='a.jpg', person_id=1, split='train', captions=[]),
                   dict(kind='color'), dict(captions=['A coat.'], file='images/01/01.png'),
                   dict(digest='d', seed=3))
    part = getattr(whole, section)
    cut = replace(whole, **{section: {name: part[name] for name in part if name != key}})
    with pytest.raises(RecordError, match=f"job 01, {section}: key '{key}'") as error:
        check_sources([cut], [PairRecord('a.jpg', (), 1, 'train')])
    assert error.value.remedy == Remedy('set_aside')
    check_sources([whole], [PairRecord('a.jpg', (), 1, 'train')])
    write(tmp_path, line(cut), line(replace(whole, job_id='02', output=dict(
        captions=['A coat.'], file='images/02/02.png'))))
    moved, = set_aside_broken(tmp_path)
    assert moved.number == 1 and f"key '{key}'" in moved.reason
