"""PairRecord: to JSON and back, and errors that name place and key."""

import json

import pytest

from mmtbps.fileio import append_json_lines
from mmtbps.records import Entry, PairRecord, RecordError, read_jsonl

FULL = PairRecord('a/1.jpg', ('Ein Mann, größer.', '男'), person_id=7, split='train',
                  source='b/2.jpg', edit={'old': 'blue', 'new': 'red'}, scores={'psnr': 31.5},
                  pair_weight=0.75)
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
    ({'pair_weight': 1.5}, "key 'pair_weight' must be a number from 0 to 1, got 1.5"),
    ({'pair_weight': True}, "key 'pair_weight' must be a number from 0 to 1, got True"),
    ({'pair_weight': float('nan')}, "key 'pair_weight' must be a number from 0 to 1, got nan"),
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


def test_a_file_of_records(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    append_json_lines(path, [record.to_json() for record in (FULL, BARE, FULL)])
    assert read_jsonl(path) == [FULL, BARE, FULL]


def test_wrong_record_names_its_line(tmp_path):
    path = tmp_path / 'pairs.jsonl'
    path.write_text(f'{json.dumps(BARE.to_json())}\n{{"image": "a"}}\n')
    with pytest.raises(RecordError, match=r"pairs\.jsonl:2: key 'captions' is missing"):
        read_jsonl(path)


@pytest.mark.parametrize('path', ['/etc/passwd', '../x.jpg', 'a/../../x.jpg', 'C:\\x.jpg',
                                  'c:x.jpg', '\\\\server\\x.jpg', '..\\x.jpg', '..', '//x.jpg'])
@pytest.mark.parametrize('key', ['image', 'source'])
def test_a_path_must_not_lead_out_of_its_folder(path, key):
    raw = dict(FULL.to_json(), **{key: path})
    with pytest.raises(RecordError, match=r'^x\.jsonl:2: image .* leads out .*allow_outside=True'):
        PairRecord.from_json(raw, 'x.jsonl:2')
    assert getattr(PairRecord.from_json(raw, allow_outside=True), key).endswith(
        path.replace('\\', '/').split('/')[-1])


@pytest.mark.parametrize('path, name', [
    ('a\\b.jpg', 'a/b.jpg'), ('./a/b.jpg', 'a/b.jpg'), ('a/../b.jpg', 'b.jpg'),
    ('...jpg', '...jpg'), ('a/..b.jpg', 'a/..b.jpg'), ('a//b.jpg', 'a/b.jpg'), ('', '')])
def test_a_path_inside_is_brought_to_one_form(path, name):
    record = PairRecord.from_json(dict(FULL.to_json(), image=path, source=path or 'x'))
    assert record.image == name and record.source == (name or 'x')
