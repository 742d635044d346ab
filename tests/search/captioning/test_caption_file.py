"""Files of captions in each layout, and what is none."""

import json

import pytest

from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.captioning import CaptionFile, CaptionModel, open_captions, read_caption_file

TABLE = {'a/1.jpg': ['in red', 'a man'], 'b.jpg': ['in blue']}
ROWS = [dict(path='a/1.jpg', caption='in  red'), dict(file_path='b.jpg', captions=['in blue', '']),
        dict(image='a/1.jpg', captions=['a man']), dict(path='c.jpg', caption=None)]


@pytest.mark.parametrize('name, text', [
    ('c.json', json.dumps({'a/1.jpg': ['in red', 'a man'], 'b.jpg': 'in blue', 'c.jpg': ' '})),
    ('c.json', json.dumps(ROWS)),
    ('c.jsonl', '\n'.join(map(json.dumps, ROWS)) + '\n\n'),
    ('c.NDJSON', '\ufeff' + '\n'.join(map(json.dumps, ROWS)))])
def test_each_layout_is_read(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding='utf-8')
    assert read_caption_file(tmp_path / name) == TABLE
    assert isinstance(open_captions(tmp_path / name), CaptionFile)


@pytest.mark.parametrize('name, text, said', [
    ('c.csv', '', 'captions are read of .json'), ('c.json', '{', 'broken JSON'),
    ('c.json', '3', 'expected an object or a list'), ('c.json', '[3]', 'record 0: expected'),
    ('c.json', '{"a": 3}', "'a': a caption, or a list"), ('c.json', '{"a": [3]}', "'a': a caption"),
    ('c.json', '[{"path": 3, "caption": "x"}]', 'record 0: a caption'),
    ('c.json', '{"a": ""}', 'no caption in it'), ('c.jsonl', '', 'no caption in it'),
    ('c.jsonl', '{"path": "a", "caption": "x"}\n{"path": "a"}', ":2: expected an object with 'path'"
     ), ('c.jsonl', '{"path": "a", "caption": "x"}\n{', ':2: broken JSON')])
def test_what_is_wrong_is_named(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadValue) as error:
        read_caption_file(tmp_path / name)
    assert said in str(error.value) and name in str(error.value)


def test_a_file_of_another_encoding_or_none(tmp_path):
    (tmp_path / 'c.json').write_bytes(b'{"a": "\xff"}')
    with pytest.raises(BadValue, match='not in UTF-8'):
        read_caption_file(tmp_path / 'c.json')
    (tmp_path / 'captions.csv').write_text('a,in red')
    with pytest.raises(BadValue, match=r'captions.csv: a file of captions ends in .json, .jsonl'):
        open_captions(tmp_path / 'captions.csv')
    with pytest.raises(MissingFile, match='no such file of captions'):
        open_captions(tmp_path / 'none.json')


def test_paths_of_another_folder_are_told(tmp_path):
    (tmp_path / 'c.json').write_text('{"crops/a.jpg": "in red"}')
    with pytest.raises(BadValue, match="names 'crops/a.jpg', and a picture is 'a.jpg'"):
        CaptionFile(tmp_path / 'c.json').start(['a.jpg'], tmp_path)


def test_a_moved_captioner_is_the_same_one(tmp_path):
    class Writer:
        digest_fields = dict(weights='abc')
    for folder in ('here/cap', 'there/cap'):
        (tmp_path / folder).mkdir(parents=True)
    one, two = (CaptionModel(f'hf:{tmp_path}/{place}/cap', writer=Writer()).identity
                for place in ('here', 'there'))
    assert one == two and one['captioner'] == 'hf:cap'
    Writer.digest_fields = dict(weights='abd')
    assert CaptionModel('hf:cap', writer=Writer()).identity['weights'] != one['weights']
