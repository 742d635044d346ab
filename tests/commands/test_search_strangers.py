"""Search commands and text of strangers: names of files, metadata, and the public URL of a page."""

import json

from search_command_fixtures import paint_folder

pytest_plugins = 'search_command_fixtures'  # `call` and `home`
FORGED = 'x.jpg\n   1  0.999  innocent.jpg\x1b]0;title\x07\u202e'


def model_of(home):
    """Words that name the model."""
    return '--config', home / 'config.py', '--weights', home / 'weights.pth'


def test_names_of_strangers_forge_no_line_of_an_answer(home, call):
    paint_folder(home / 'crops', 'orange')
    (home / 'crops/orange.png').rename(home / f'crops/{FORGED}.png')
    (home / f'crops/broken{FORGED}.png').write_text('no image')
    row = {'path': f'{FORGED}.png', 'camera': f'c{FORGED}', 'coat': f'<b>{FORGED}'}
    (home / 'crops.jsonl').write_text('\n'.join(json.dumps(line) for line in (
        row, dict(path=f'gone{FORGED}'))))
    code, out, err = call('index', home / 'people', home / 'crops', *model_of(home),
                          '--metadata', home / 'crops.jsonl',
                          '--quiet', '--log', home / 'log.jsonl')
    assert code == 1 and len(err.splitlines()) == 3, err  # one was skipped
    code, table, _ = call('query', home / 'people', 'orange', '--topk', 2)
    assert code == 0 and len(table.splitlines()) == 3 and 'innocent.jpg\\x1b]0;title' in table
    for text in (out, err, table):
        assert not set(text) & set('\x1b\x07\u202e\r')
    _, shown, _ = call('query', home / 'people', 'orange', '--topk', 1, '--json')
    hit, = json.loads(shown)[0]['hits']
    assert hit['path'] == f'{FORGED}.png' and hit['extra'] == {'coat': f'<b>{FORGED}'}
    assert not set(shown) & set('\x1b\x07\u202e')
    logged = [json.loads(line) for line in (home / 'log.jsonl').read_text().splitlines()]
    assert f'broken{FORGED}.png' in [line['path'] for line in logged]


def test_a_word_that_is_no_option_acts_on_no_terminal(call):
    word = '--x.jpg\nerror:\x1b]0;title\x07\u202e'
    for words in (['query', 'people', 'red', word], ['info', 'people', FORGED], [FORGED],
                  ['query', 'people', 'red', '--topk', FORGED]):
        code, _, err = call(*words)
        assert code == 2 and not set(err) & set('\x1b\x07\u202e')
        assert not [line for line in err.splitlines() if line.startswith('error:')]


def test_a_public_url_is_handed_to_the_page(home, call, monkeypatch):
    asked = {}
    monkeypatch.setattr('mmtbps.search.webui.serve', lambda *_, **named: asked.update(named))
    monkeypatch.setattr('mmtbps.search.webui.check_free', lambda host, port: None)
    assert call('index', home / 'people', home / 'crops', *model_of(home), '--quiet')[0] == 0
    assert call('serve', home / 'people', '--public-url', 'https://host/people/')[0] == 0
    assert asked == {'public_url': 'https://host/people'}
    code, _, err = call('serve', home / 'people', '--public-url', 'host')
    assert code == 1 and err.startswith('error: host: a public URL is a whole address')
