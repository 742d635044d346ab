"""The manifest: identities, whole files, torn lines, and folders that belong to one run."""

import errno
import json
import os

import pytest

from mmtbps.fileio import DiskFull, LockTaken, write_durably
from mmtbps.generation.runs.manifest import (
    ManifestPart,
    OtherRun,
    Record,
    claim_run,
    engine_digest,
    job_id,
    load_done,
    read_records,
)
from mmtbps.records import RecordError


def record(key='00ab', status='accepted', **fields):
    return Record(key, status, dict(image='a.jpg'), dict(noun='coat'), dict(captions=['A coat.']),
                  dict(digest='d', seed=3), **fields)


def fill(folder, *records, shard=(0, 1)):
    with ManifestPart(folder, shard) as part:
        for item in records:
            part.append(item)
        return part.path


def test_a_record_reads_back(tmp_path):
    item = record(gates=dict(psnr=dict(value=31.5, ok=True, min=24., max=None)),
                  controls=dict(unedited=False), cost=dict(seconds=1.5), shard='1/2', time='now')
    fill(tmp_path, item)
    assert list(read_records(tmp_path)) == [item]


def test_numbers_json_does_not_know_become_null(tmp_path):
    fill(tmp_path, record(gates=dict(psnr=dict(value=float('inf'), ok=True))))
    assert next(read_records(tmp_path)).gates['psnr'] == dict(value=None, ok=True)


def test_ids_depend_on_content_alone():
    source, edit = dict(image='a.jpg', person_id=1), dict(noun='coat', new=dict(bases=['red']))
    one = job_id(source, edit, 'digest')
    assert one == job_id(dict(reversed(source.items())), edit, 'digest') and len(one) == 16
    assert len({one, job_id(source, edit, 'other'), job_id(source, {**edit, 'noun': 'x'}, 'digest'),
                job_id({**source, 'image': 'b'}, edit, 'digest')}) == 4
    assert engine_digest(dict(a=1, b=[2])) != engine_digest(dict(a=1, b=[3]))


@pytest.mark.parametrize('torn', [b'{"schema": "mmtb', b'\xff\xfe', b'{"a": 1}'])
def test_a_torn_line_is_cut_off(tmp_path, torn):
    path = fill(tmp_path, record('01'))
    path.write_bytes(path.read_bytes() + torn)
    fill(tmp_path, record('02'))
    assert list(load_done(tmp_path)) == ['01', '02']
    assert path.read_bytes().count(b'\n') == 2


def test_a_torn_line_of_another_process_is_passed_over(tmp_path):
    path = fill(tmp_path, record('01'), shard=(0, 2))
    path.write_bytes(path.read_bytes() + b'{"schema": "mm')
    fill(tmp_path, record('02'), shard=(1, 2))
    with pytest.warns(UserWarning, match='half-written'):
        assert list(load_done(tmp_path)) == ['01', '02']


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    path = fill(tmp_path, record('01'))
    path.write_bytes(b'{"schema": \n' + path.read_bytes())
    with pytest.raises(RecordError, match=r'part-00000-of-00001.jsonl:1: broken JSON'):
        load_done(tmp_path)


@pytest.mark.parametrize('change, message', [
    (dict(schema='pdg/9'), "schema 'pdg/9'"), (dict(status='good'), "got 'good'"),
    (dict(source='a.jpg'), "'source' must be an object")])
def test_a_wrong_record_is_named(change, message):
    with pytest.raises(RecordError, match=f'x:3: .*{message}'):
        Record.from_json({**record().to_json(), **change}, 'x:3')


def test_done_is_what_has_an_outcome_and_its_image(tmp_path):
    def output(key):
        return dict(captions=[], file=f'images/{key[:2]}/{key}.png')

    write_durably(tmp_path / 'images/01/01.png', b'png')
    items = [Record(key, status, {}, {}, output(key), {}) for key, status in
             [('01', 'accepted'), ('02', 'accepted')]]
    failed, again = record('03', 'failed', reason='broken: x'), record('03', 'rejected')
    fill(tmp_path, *items, failed, again)
    done = load_done(tmp_path)
    assert {key: item.status for key, item in done.items()} == {'01': 'accepted', '03': 'rejected'}


def test_one_process_a_part(tmp_path):
    with ManifestPart(tmp_path, (0, 2)):
        with pytest.raises(LockTaken, match='part-00000-of-00002.jsonl is being written'):
            ManifestPart(tmp_path, (0, 2))
        ManifestPart(tmp_path, (1, 2)).close()
    ManifestPart(tmp_path, (0, 2)).close()


def full_disk(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_image_and_manifest_as_they_were(tmp_path, monkeypatch):
    path = fill(tmp_path, record('01'))
    before = path.read_bytes()
    write_durably(tmp_path / 'a.png', b'old')
    with ManifestPart(tmp_path, (0, 1)) as part:
        monkeypatch.setattr(os, 'fsync', full_disk)
        with pytest.raises(DiskFull, match='a.png: the disk is full.*start the same command'):
            write_durably(tmp_path / 'a.png', b'new')
        with pytest.raises(DiskFull, match='part-00000.*the disk is full'):
            part.append(record('02'))
    assert path.read_bytes() == before and (tmp_path / 'a.png').read_bytes() == b'old'
    assert not list(tmp_path.glob('*.partial'))


def test_half_a_line_is_taken_back(tmp_path, monkeypatch):
    path = fill(tmp_path, record('01'))
    before, write = path.read_bytes(), os.write
    with ManifestPart(tmp_path, (0, 1)) as part:
        monkeypatch.setattr(os, 'write', lambda fd, data: write(fd, data[:20]))
        with pytest.raises(DiskFull, match='the disk is full'):
            part.append(record('02'))
    assert path.read_bytes() == before


def test_a_folder_belongs_to_one_engine_and_plan(tmp_path):
    settings, plan = dict(editor=dict(steps=20, size=(64, 24))), dict(sha256='a', jobs=2)
    digest = claim_run(tmp_path, settings, plan)
    assert digest == claim_run(tmp_path, settings, plan) == engine_digest(settings)
    with pytest.raises(OtherRun, match=r'settings.editor.steps was 20, now 50'):
        claim_run(tmp_path, dict(editor=dict(steps=50, size=(64, 24))), plan)
    with pytest.raises(ValueError, match=r'plan.jobs was 2, now 3; plan.sha256'):
        claim_run(tmp_path, settings, dict(sha256='b', jobs=3))
    assert json.loads((tmp_path / 'run.json').read_text())['digest'] == digest
    assert [path.name for path in tmp_path.iterdir()] == ['run.json']
