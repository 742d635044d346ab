"""Captions on the command line: index, query, info, and what is refused."""

import json

import pytest

pytest_plugins = 'search_command_fixtures'  # `call` and `home`


@pytest.fixture
def words(home):
    """Command line of an index run with a file of captions."""
    (home / 'captions.jsonl').write_text(
        '\n'.join(json.dumps(dict(path=f'{name}.png', caption=f'a person in {name}'))
                  for name in ('red', 'blue', 'green')))
    return ['index', home / 'people', home / 'crops', '--config', home / 'config.py', '--weights',
            home / 'weights.pth', '--captioner', home / 'captions.jsonl']


def test_captions_are_indexed_shown_and_searched(words, home, call):
    code, out, err = call(*words, '--json')
    report = json.loads(out)
    assert code == 0 and report['captioned'] == 3
    assert report['uncaptioned'] == [['red-blue.png', 'captions.jsonl has no caption of it']]
    assert 'without a caption red-blue.png: captions.jsonl has no' in err
    code, out, err = call('query', home / 'people', 'in green', '--topk', 1)
    assert code == 0 and 'green.png' in out and 'caption a person in green' in out
    _, out, _ = call('query', home / 'people', 'in green', '--where', 'caption=blue,red', '--json')
    hits = json.loads(out)[0]['hits']
    assert {hit['path']: hit['caption'] for hit in hits} == {
        'red.png': 'a person in red', 'blue.png': 'a person in blue'}
    code, out, err = call('query', home / 'people', 'green', '--out', home / 'answer.html')
    assert code == 0 and 'a person in green' in (home / 'answer.html').read_text()
    code, out, _ = call('info', home / 'people')
    assert "fingerprint captions  {'captioner': 'FILE', 'weight': 0.3}" in out
    code, out, _ = call('delete', home / 'people', '--where', 'caption="in red"', '--yes')
    assert code == 0 and '1 removed, 3 left' in out
    code, out, _ = call('compact', home / 'people')
    assert code == 0
    code, out, _ = call(*words)
    assert code == 0 and '1 indexed, 3 unchanged' in out and '1 with a caption' in out


def test_another_captioner_or_weight_is_refused_with_the_way_out(words, home, call):
    assert call(*words)[0] == 0
    for more in (words + ['--caption-weight', .5], words[:-2]):
        code, _, err = call(*more)
        assert code and err.count('\n') == 1
        assert 'add --captioner FILE --caption-weight 0.3 to the command' in err
    code, _, err = call(*words[:1], home / 'plain', *words[2:-2])
    assert code == 0
    code, _, err = call(*words[:1], home / 'plain', *words[2:])
    assert code and 'leave --captioner out' in err


@pytest.mark.parametrize('more, said', [
    (['--caption-weight', 1], 'the caption weight is from 0 to below 1, got 1.0'),
    (['--caption-weight', -.1], 'from 0 to below 1, got -0.1')])
def test_no_weight_is_refused_before_anything_is_there(words, home, call, more, said):
    code, _, err = call(*words, *more)
    assert code and said in err and not (home / 'people').exists()


def test_a_weight_alone_is_refused(words, home, call):
    code, _, err = call(*words[:-2], '--caption-weight', .3)
    assert code and 'name both' in err
