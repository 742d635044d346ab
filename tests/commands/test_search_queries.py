"""Queries: sentences, a picture, both, and command lines that are none."""

import html
import json

import pytest
from search_command_fixtures import ColorEncoder
from search_command_rig import assert_refused, ranked

from mmtbps.search.encoders import loading as encoders

pytest_plugins = 'search_command_fixtures'  # `call` and `indexed`


def test_a_picture_is_a_query_alone_and_with_words(indexed, call, tmp_path):
    blue = indexed / 'crops/blue.png'
    code, out, err = call('query', indexed / 'people', '--image', blue, '--topk', 1)
    assert code == 0 and ranked(out) == ['blue.png'] and out.startswith(f'{blue}\n') and err == ''
    words = ['query', indexed / 'people', '--image', blue, 'all in red', '--image-weight', '0.2']
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
def test_a_sentence_may_stand_anywhere(indexed, call, words):
    code, out, _ = call('query', indexed / 'people', *words)
    assert code == 0 and ranked(out) == ['red.png', 'blue.png'] and out.startswith('all in red\n')


def test_several_sentences_around_the_options(indexed, call):
    _, out, err = call('query', indexed / 'people', '-red coat', '--topk', 1, 'all in blue',
                       '--json')
    assert [answer['query'] for answer in json.loads(out)] == ['-red coat', 'all in blue']
    _, out, err = call('query', indexed / 'people', '--where', 'camera=c1', 'a man', 'blue',
                       '--json')
    assert [answer['query'] for answer in json.loads(out)] == ['a man', 'blue'] and err == ''


def test_a_sentence_without_quotes_gets_a_hint(indexed, call):
    _, out, err = call('query', indexed / 'people', 'a', 'woman', 'in', 'red')
    assert out.count('0.') >= 4 and err.strip().endswith('in quotes: "a woman in red"')
    for texts in (['red'], ['red', 'a man']):
        assert call('query', indexed / 'people', *texts)[2] == ''


@pytest.mark.parametrize('words, message', [
    ([], 'a sentence in quotes is needed, or --image FILE'),
    (['--where', 'camera=c1'], 'a sentence in quotes is needed'),
    (['a man', '--image-weight', '.5'], 'name both'),
    (['--image', 'x.png', '--image-weight', '.5'], 'name both'),
    (['a man', '--colour', 'red'], 'unrecognized arguments: --colour'),
    (['--colour'], 'unrecognized arguments: --colour')])
def test_a_wrong_command_line_is_usage(indexed, call, words, message):
    code, out, err = call('query', indexed / 'people', *words)
    assert code == 2 and out == '' and message in err


@pytest.mark.parametrize('words, message', [
    (['\u200b'], 'empty'), (['!'], 'no word'), (['a \udcff man'], 'no valid Unicode'),
    (['--image', '{}/none.png'], 'none.png: no such file'),
    (['--image', '{}/crops.csv'], 'no image of a known format'),
    (['--image', 'memory://nowhere/none.png'], 'memory://nowhere/none.png: no such file'),
    (['red', '--image', '{}/crops/red.png', '--image-weight', '7'], 'from 0 to 1')])
def test_a_question_that_is_none_is_one_line(indexed, call, words, message):
    code, out, err = call('query', indexed / 'people', *(word.format(indexed) for word in words))
    assert code == 1 and out == '' and err.startswith('error: ') and message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize('words, message', [
    (['--where', 'shoes=red'], "filter by 'shoes': no entry of .* has such a key"),
    (['--where', 'camera=c1', 'camra=c1'], 'did you mean camera'),
    (['--where', 'track=t1'], 'has a track'), (['--topk', '0'], 'topk must be'),
    (['--topk', '0', '--where', 'camera=c1'], 'topk must be')])
def test_a_question_is_looked_at_before_a_model_is_loaded(indexed, call, monkeypatch, words,
                                                           message):
    loaded = []
    monkeypatch.setattr(encoders, 'load_encoder', lambda *_, **__: loaded.append(1))
    assert_refused(call('query', indexed / 'people', 'all in red', *words), message)
    assert_refused(call('query', indexed / 'people', '--image', indexed / 'crops/red.png', *words),
                   message)
    assert not loaded


class FewWords(ColorEncoder):
    """A model that knows one word and reads as many as it knows."""

    vocabulary = type('Vocabulary', (), dict(
        split_special=lambda self, text: text,
        read=lambda self, text: ([word for word in text.split() if word != 'red'], 'red' in text)))

    def cut(self, texts):
        return [(text, 'red') for text in texts if text.startswith('red ')]


def test_words_not_known_or_read_are_named(indexed, call, monkeypatch):
    model = FewWords()
    model.vocabulary = FewWords.vocabulary()
    model.fingerprint = dict(ColorEncoder.fingerprint, model='first')  # as `indexed`
    monkeypatch.setattr(encoders, 'load_encoder', lambda *_, **__: model)
    words = ['query', indexed / 'people', 'red coat', 'all in red']
    code, out, err = call(*words)
    assert code == 0 and err.splitlines() == [
        'the model does not know "coat"',
        'the model reads a part of the sentence, up to "...red", and not "coat"',
        'the model does not know "all", "in"']
    first, second = json.loads(call(*words, '--json')[1])
    assert (first['unknown'], first['read'], first['unread']) == (['coat'], 'red', 'coat')
    assert second['unknown'] == ['all', 'in'] and 'read' not in second
    call(*words, '--out', indexed / 'answer.html')
    assert 'does not know "coat"' in html.unescape(
        (indexed / 'answer.html').read_text('utf-8'))
    assert call('query', indexed / 'people', 'blue coat')[2] == (
        "error: the model knows no word of 'blue coat'; describe the person in a language that it "
        'was trained with\n')


def test_people_without_tracks_are_not_joined_in_silence(indexed, call):
    code, out, err = call('query', indexed / 'people', 'red', '--group', 'track')
    assert code == 0 and out.startswith('red')
    assert err == 'nobody who was found has a track, so that --group track joined nothing\n'
    (indexed / 'tracks.csv').write_text('path,track\nred.png,t1\nblue.png,t1\n')
    call('index', indexed / 'people', indexed / 'crops', '--metadata', indexed / 'tracks.csv')
    assert call('query', indexed / 'people', 'red', '--group', 'track')[2] == ''
    assert call('query', indexed / 'people', 'red')[2] == ''
