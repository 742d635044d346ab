"""PairRecord and its JSONL files, above all what a crash may leave behind."""

import json
import os
import warnings

import pytest

from mmtbps.fileio import JsonlWriter, iter_json_lines
from mmtbps.records import Entry, PairRecord, RecordError, read_jsonl


def append_jsonl(path, record):
    with JsonlWriter(path) as lines:
        lines.append(record.to_json())


FULL = PairRecord('a/1.jpg', ('Ein Mann, größer.', '男'), person_id=7, split='train',
                  source='b/2.jpg', edit={'old': 'blue', 'new': 'red'}, scores={'psnr': 31.5})
BARE = PairRecord('c.jpg', ('A woman.',), person_id=0, split='test')


@pytest.mark.parametrize('record', [FULL, BARE])
def test_json_round_trip(record):
    through_text = json.loads(json.dumps(record.to_json()))
    assert PairRecord.from_json(through_text) == record


def test_to_json_leaves_unset_fields_out():
    assert BARE.to_json() == {'image': 'c.jpg', 'captions': ['A woman.'], 'person_id': 0,
                              'split': 'test'}


def test_record_is_frozen_and_slotted():
    with pytest.raises(AttributeError):
        BARE.image = 'x'
    assert not hasattr(BARE, '__dict__')


@pytest.mark.parametrize(('change', 'message'), [
    ({'image': None}, "key 'image' must be a string, got None"),
    ({'person_id': '7'}, "key 'person_id' must be an integer, got '7'"),
    ({'person_id': True}, "key 'person_id' must be an integer, got True"),
    ({'captions': 'A man.'}, "key 'captions' must be a list, got 'A man.'"),
    ({'captions': ['A man.', 3]}, "key 'captions' must hold strings only, got 3"),
    ({'edit': 'red'}, "key 'edit' must be an object"),
    ({'person': 1}, "unknown key 'person'"),
])
def test_from_json_names_place_and_key(change, message):
    with pytest.raises(RecordError) as error:
        PairRecord.from_json(BARE.to_json() | change, 'x.jsonl:9')
    assert str(error.value).startswith('x.jsonl:9: ')
    assert message in str(error.value)


@pytest.mark.parametrize('key', ['image', 'captions', 'person_id', 'split'])
def test_from_json_names_missing_key(key):
    raw = BARE.to_json()
    del raw[key]
    with pytest.raises(RecordError, match=f"key '{key}' is missing"):
        PairRecord.from_json(raw)


def test_from_json_refuses_what_is_no_object():
    with pytest.raises(RecordError, match=r'expected an object \{...\}, got \[1\]'):
        PairRecord.from_json([1])


def test_long_values_are_cut_in_errors():
    with pytest.raises(RecordError) as error:
        Entry({'id': 'x' * 500}, 'a').take('id', int)
    assert len(str(error.value)) < 120


def test_append_then_read(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    for record in (FULL, BARE, FULL):
        append_jsonl(path, record)
    assert read_jsonl(path) == [FULL, BARE, FULL]
    assert path.read_bytes().endswith(b'\n')
    assert '男' in path.read_text(encoding='utf-8')  # readable, not escaped


def test_half_written_last_line_is_ignored_with_a_warning(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    append_jsonl(path, FULL)
    whole = path.read_bytes()
    for cut in range(1, len(whole) - 1):  # at every byte, also inside a character
        path.write_bytes(whole + whole[:cut])
        with pytest.warns(UserWarning, match=r'pairs\.jsonl:2: half-written'):
            assert read_jsonl(path) == [FULL]


def test_last_line_without_newline_counts_when_whole(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    path.write_text(json.dumps(BARE.to_json()))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert read_jsonl(path) == [BARE]
    append_jsonl(path, FULL)
    assert read_jsonl(path) == [BARE, FULL]


@pytest.mark.parametrize('length', [10, 9000])
def test_append_cuts_off_a_torn_line_of_an_earlier_crash(tmp_path, length):
    path = tmp_path / 'pairs.jsonl'
    append_jsonl(path, FULL)
    with open(path, 'ab') as file:
        file.write(b'{"image": "' + b'x' * length)
    append_jsonl(path, BARE)
    assert read_jsonl(path) == [FULL, BARE]


def test_append_to_a_file_that_is_one_torn_line(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    path.write_bytes(b'{"ima')
    append_jsonl(path, BARE)
    assert read_jsonl(path) == [BARE]


def test_append_writes_once_and_syncs(tmp_path, monkeypatch):
    calls = []
    real_write, real_sync = os.write, os.fsync
    monkeypatch.setattr(os, 'write', lambda fd, b: calls.append('write') or real_write(fd, b))
    monkeypatch.setattr(os, 'fsync', lambda fd: calls.append('fsync') or real_sync(fd))
    append_jsonl(tmp_path / 'a.jsonl', FULL)
    assert calls == ['write', 'fsync']


def test_append_tells_of_a_full_disk(tmp_path, monkeypatch):
    real_write = os.write
    monkeypatch.setattr(os, 'write', lambda fd, b: real_write(fd, b[:5]))
    with pytest.raises(OSError, match='the disk is full'):
        append_jsonl(tmp_path / 'a.jsonl', FULL)


def test_append_refuses_nan(tmp_path):
    record = PairRecord('a', ('b',), 1, 'train', scores={'psnr': float('nan')})
    with pytest.raises(ValueError, match='JSON compliant'):
        append_jsonl(tmp_path / 'a.jsonl', record)
    assert not (tmp_path / 'a.jsonl').read_bytes()


@pytest.mark.parametrize('broken', ['{"image": "a', '{"image" "a"}', 'hello'])
def test_broken_line_in_the_middle_is_an_error(tmp_path, broken):
    path = tmp_path / 'pairs.jsonl'
    good = json.dumps(BARE.to_json())
    path.write_text(f'{good}\n\n{broken}\n{good}\n')
    with pytest.raises(RecordError, match=r'pairs\.jsonl:3: broken JSON'):
        read_jsonl(path)


def test_wrong_record_names_its_line(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    path.write_text(f'{json.dumps(BARE.to_json())}\n{{"image": "a"}}\n')
    with pytest.raises(RecordError, match=r"pairs\.jsonl:2: key 'captions' is missing"):
        read_jsonl(path)


def test_iter_json_lines_passes_over_empty_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'\xef\xbb\xbf1\r\n\n  \n2\n')
    assert list(iter_json_lines(path)) == [(1, 1), (4, 2)]
