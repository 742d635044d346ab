"""Streaming of JSON: the same values as the whole file gives, faults with their line."""

import json
import random

import pytest

from mmtbps.errors import RecordError
from mmtbps.fileio import iter_json_elements, json_stream


def values(seed):
    """Values of all kinds, nested, with signs that a parser may stumble on."""
    rng = random.Random(seed)
    texts = ['', 'a', '"', '\\', ']', '}', ',', 'é', '\n', 'x' * 40, '{"a": [']

    def value(depth):
        kind = rng.randrange(7 if depth else 5)
        if kind == 5:
            return [value(depth - 1) for _ in range(rng.randrange(4))]
        if kind == 6:
            return {f'{i}{rng.choice(texts)}': value(depth - 1) for i in range(rng.randrange(4))}
        return [rng.choice(texts), rng.randrange(10**9), rng.random(), None, True][kind]

    return [value(3) for _ in range(30)]


@pytest.fixture(params=[1, 2, 3, 7, 64, 1 << 20])
def chunk(request, monkeypatch):
    """Sizes of what is read at a time, so that every place is the end of a chunk."""
    monkeypatch.setattr(json_stream, '_CHUNK', request.param)


@pytest.mark.usefixtures('chunk')
@pytest.mark.parametrize('style', [{}, dict(indent=1), dict(separators=(',', ':')),
                                   dict(ensure_ascii=False, indent=4)])
def test_elements_are_those_of_the_whole_file(style, tmp_path):
    path, known = tmp_path / 'a.json', values(len(style))
    path.write_text(json.dumps(known, **style) + '\n', encoding='utf-8-sig')
    assert list(iter_json_elements(path)) == [(None, value) for value in known]
    mapping = {f'{i}': value for i, value in enumerate(known)}
    path.write_text(json.dumps(mapping, **style), encoding='utf-8')
    assert list(iter_json_elements(path, ['mapping'])) == list(mapping.items())
    lines = [value for value in known if isinstance(value, dict)]
    path.write_text('\n\n'.join(json.dumps(value, **style) for value in lines))
    assert [value for _, value in iter_json_elements(path, ['lines', 'list'])] == lines


@pytest.mark.usefixtures('chunk')
@pytest.mark.parametrize('text, forms, message', [
    ('[1, 2', ['list'], r"a\.json:1: broken JSON \(Expecting ',' delimiter\); is the download com"),
    ('[\n{"a": 1},\n{"a" 2}]', ['list'], r"a\.json:3: broken JSON \(Expecting ':' delimiter\)"),
    ('[\n1\n2]', ['list'], r"a\.json:3: broken JSON \(Expecting ',' delimiter\)"),
    ('[1]\n[2]', ['list'], r'a\.json:2: broken JSON \(Extra data\)'),
    ('[1,]', ['list'], r'a\.json:1: broken JSON \(Expecting value\)'),
    ('', ['list'], r'a\.json:1: broken JSON \(Expecting value\)'),
    ('{"a": 1}', ['list'], r'expected a list of records \[\.\.\.\], got dict; .*ends in \.jsonl'),
    ('{"a": 1}\n{"b": 1}', ['mapping'], r'expected an object .*, got several objects; .*\.jsonl'),
    ('{"a": 1} 2', ['mapping'], r'broken JSON \(Extra data\)'),
    ('[1]', ['mapping'], r'expected an object \{image: caption, \.\.\.\}, got list'),
    ('7', ['list', 'lines'], r'expected a list of records \[\.\.\.\] or an object a line, got int'),
    ('{"a": 1, "b": 2, "a": 3}', ['mapping'], "key 'a' stands twice in one object"),
    ('[{"a": 1, "a": 3}]', ['list'], "key 'a' stands twice in one object"),
    ('{1: 2}', ['mapping'], 'Expecting property name enclosed in double quotes'),
    ('{"a" 2}', ['mapping'], "Expecting ':' delimiter"),
    ('[' * 100_000, ['list'], 'nested too deeply'),
])
def test_a_fault_is_named_with_its_line(text, forms, message, tmp_path):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(RecordError, match=message):
        list(iter_json_elements(tmp_path / 'a.json', forms))


def test_what_is_no_text_is_named(tmp_path):
    (tmp_path / 'a.json').write_bytes('["é"]'.encode('latin-1'))
    with pytest.raises(RecordError, match='not UTF-8 text'):
        list(iter_json_elements(tmp_path / 'a.json'))


def test_a_broken_file_is_given_up_and_a_large_one_is_never_held(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, '_CHUNK', 64)
    monkeypatch.setattr(json_stream, '_MOST', 256)
    held = []
    fill = json_stream._Stream._fill
    monkeypatch.setattr(json_stream._Stream, '_fill',
                        lambda self: (fill(self), held.append(len(self.text)))[0])
    path = tmp_path / 'a.json'
    path.write_text(json.dumps([dict(caption='x' * 20)] * 1000))
    assert len(list(iter_json_elements(path))) == 1000 and max(held) < 300
    held.clear()
    path.write_text('[{"caption": "' + 'x' * 100_000)
    with pytest.raises(RecordError, match='Unterminated string'):
        list(iter_json_elements(path))
    assert max(held) < 1000
