"""Queries of tools/search.py: sentences, a picture, both, and command lines that are none."""

import json
import re
import sys
from pathlib import Path

import pytest

from mmtbps.search import TextToPersonInferencer
from mmtbps.search.encoders import loading as encoders
from mmtbps.search.indexing import read_metadata

TOOL = 'tools/search.py'
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'search'))  # fakes.py
from fakes import ColorEncoder, paint_folder  # noqa: E402


@pytest.fixture
def home(tmp_path):
    """A folder with crops and a gallery ``people`` of them."""
    paint_folder(tmp_path / 'crops', 'red', 'blue', 'red-blue', 'green')
    (tmp_path / 'crops.csv').write_text('path,camera\nred.png,c1\nblue.png,c2\n')
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'people')
    searcher._model = 'colors'
    searcher.index(tmp_path / 'crops', read_metadata(tmp_path / 'crops.csv'), progress=False)
    return tmp_path


@pytest.fixture
def call(tool, monkeypatch, capsys):
    """A function that runs the tool with a model of colours; gives exit code, stdout, stderr."""
    monkeypatch.setattr(encoders, 'load_encoder', lambda *_, **__: ColorEncoder())

    def run(*words):
        code = 0
        try:
            tool.main([str(word) for word in words])
        except SystemExit as error:
            code = error.code
        return (code, *capsys.readouterr())

    return run


def ranked(out):
    """Paths in the printed answer."""
    return re.findall(r'^ +\d+  -?\d\.\d{3}  (\S+)', out, re.MULTILINE)


def test_a_picture_is_a_query_alone_and_with_words(home, call, tmp_path):
    blue = home / 'crops/blue.png'
    code, out, err = call('query', home / 'people', '--image', blue, '--topk', 1)
    assert code == 0 and ranked(out) == ['blue.png'] and out.startswith(f'{blue}\n') and err == ''
    words = ['query', home / 'people', '--image', blue, 'all in red', '--image-weight', '0.2']
    _, out, _ = call(*words, '--topk', 1)
    assert ranked(out) == ['red.png']
    assert out.startswith(f'all in red + picture {blue} (weight 0.2)\n')
    answer, = json.loads(call(*words, '--json')[1])
    assert (answer['query'], answer['image'], answer['image_weight']) == (
        'all in red', str(blue), .2)
    call(*words, '--out', tmp_path / 'answer.html')
    assert '(weight 0.2)</h1>' in (tmp_path / 'answer.html').read_text()


@pytest.mark.parametrize('words', [
    ['all in red', '--where', 'camera=c1,c2'], ['--where', 'camera=c1,c2', 'all in red'],
    ['--where', 'camera=c1,c2', '--topk', '9', 'all in red'], ['--topk', '9', 'all in red',
                                                               '--where', 'camera=c1,c2']])
def test_a_sentence_may_stand_anywhere(home, call, words):
    code, out, _ = call('query', home / 'people', *words)
    assert code == 0 and ranked(out) == ['red.png', 'blue.png'] and out.startswith('all in red\n')


def test_several_sentences_around_the_options(home, call):
    _, out, err = call('query', home / 'people', '-red coat', '--topk', 1, 'all in blue',
                       '--json')
    assert [answer['query'] for answer in json.loads(out)] == ['-red coat', 'all in blue']
    _, out, err = call('query', home / 'people', '--where', 'camera=c1', 'a man', 'blue',
                       '--json')
    assert [answer['query'] for answer in json.loads(out)] == ['a man', 'blue'] and err == ''


def test_a_sentence_without_quotes_gets_a_hint(home, call):
    _, out, err = call('query', home / 'people', 'a', 'woman', 'in', 'red')
    assert out.count('0.') >= 4 and err.strip().endswith('in quotes: "a woman in red"')
    for texts in (['red'], ['red', 'a man']):
        assert call('query', home / 'people', *texts)[2] == ''


@pytest.mark.parametrize('words, message', [
    ([], 'a sentence in quotes is needed, or --image FILE'),
    (['--where', 'camera=c1'], 'a sentence in quotes is needed'),
    (['a man', '--image-weight', '.5'], 'name both'),
    (['--image', 'x.png', '--image-weight', '.5'], 'name both'),
    (['a man', '--colour', 'red'], 'unrecognized arguments: --colour'),
    (['--colour'], 'unrecognized arguments: --colour')])
def test_a_wrong_command_line_is_usage(home, call, words, message):
    code, out, err = call('query', home / 'people', *words)
    assert code == 2 and out == '' and message in err


@pytest.mark.parametrize('words, message', [
    (['\u200b'], 'empty'), (['!'], 'no word'), (['a \udcff man'], 'no valid Unicode'),
    (['--image', '{}/none.png'], 'none.png: no such file'),
    (['--image', '{}/crops.csv'], 'no image of a known format'),
    (['red', '--image', '{}/crops/red.png', '--image-weight', '7'], 'from 0 to 1')])
def test_a_question_that_is_none_is_one_line(home, call, words, message):
    code, out, err = call('query', home / 'people', *(word.format(home) for word in words))
    assert code == 1 and out == '' and err.startswith('error: ') and message in err
    assert len(err.splitlines()) == 1


class FewWords(ColorEncoder):
    """A model that knows one word and reads as many as it knows."""

    vocabulary = type('Vocabulary', (), dict(
        split_special=lambda self, text: text,
        read=lambda self, text: ([word for word in text.split() if word != 'red'], 'red' in text)))

    def cut(self, texts):
        return [(text, 'red') for text in texts if text.startswith('red ')]


def test_words_not_known_or_read_are_named(home, call, monkeypatch):
    model = FewWords()
    model.vocabulary = FewWords.vocabulary()
    monkeypatch.setattr(encoders, 'load_encoder', lambda *_, **__: model)
    words = ['query', home / 'people', 'red coat', 'all in red']
    code, out, err = call(*words)
    assert code == 0 and err.splitlines() == [
        'the model does not know "coat"',
        'the model reads a part of the sentence, up to "...red", and not "coat"',
        'the model does not know "all", "in"']
    first, second = json.loads(call(*words, '--json')[1])
    assert (first['unknown'], first['read'], first['unread']) == (['coat'], 'red', 'coat')
    assert second['unknown'] == ['all', 'in'] and 'read' not in second
    call(*words, '--out', home / 'answer.html')
    assert 'does not know &quot;coat&quot;' in (home / 'answer.html').read_text()
    assert call('query', home / 'people', 'blue coat')[2] == (
        "error: the model knows no word of 'blue coat'; describe the person in a language that it "
        'was trained with\n')
