"""Wishes on the command line: what must hold, marks in table, JSON and page, right and wrong."""

import json

import pytest
from search_command_rig import assert_refused, ranked

pytest_plugins = 'search_command_fixtures'  # `call` and `indexed`


def _ask(call, indexed, *words):
    return json.loads(call('query', indexed / 'people', *words, '--json')[1])[0]


def test_must_orders_and_marks(indexed, call, tmp_path):
    people = indexed / 'people'
    code, out, err = call('query', people, 'all in blue', '--must', 'red coat', '--topk', 1)
    assert code == 0 and ranked(out) == ['red.png'] and '[red coat: yes, blue clothes: no]' in out
    assert 'marks by label-free bounds: not calibrated' in err
    answer = _ask(call, indexed, 'all in blue', '--must', 'no red coat', '--topk', 1)
    assert answer['hits'][0]['path'] == 'blue.png' and answer['marked_by'] == 'label-free'
    assert answer['hits'][0]['marks'][0]['mark'] == 'yes'
    assert ranked(call('query', people, '--must', 'red coat', '--topk', 1)[1]) == ['red.png']
    call('query', people, 'a tall man in red', '--marks', '--out', tmp_path / 'answer.html')
    page = (tmp_path / 'answer.html').read_text()
    assert 'red clothes: yes' in page and 'not checked: &#34;tall&#34;' in page


def test_calibrated_bounds_are_read(indexed, call, tmp_path):
    bounds = tmp_path / 'bounds.json'
    bounds.write_text('{"version": 2, "phrase_bounds": {"clothing": [90, 91]}}')
    words = ['query', indexed / 'people', 'red coat', '--marks', '--topk', 1]
    _, out, err = call(*words, '--phrase-bounds', bounds)
    assert '[red coat: no]' in out and 'not calibrated' not in err
    bounds.write_text('{}')
    assert_refused(call(*words, '--phrase-bounds', bounds), 'no bounds of phrases')


def test_right_and_wrong_are_ids(indexed, call):
    ids = {hit['path']: hit['id'] for hit in _ask(call, indexed, 'all in red')['hits']}
    answer = _ask(call, indexed, 'all in red', '--unlike', ids['red.png'], '--like',
                  ids['blue.png'])
    assert 'red.png' not in [hit['path'] for hit in answer['hits']]
    assert_refused(call('query', indexed / 'people', 'all in red', '--like', 'nobody'),
                   'has no entry')


def test_weighed_phrases_are_named(indexed, call):
    """In the note, in JSON, and where nothing can be weighed."""
    words = ['query', indexed / 'people', 'a red coat and blue jeans', '--weigh-phrases']
    code, out, err = call(*words, '--topk', 1)
    assert code == 0 and ranked(out)
    assert 'phrases weighed in the order, not in the scores: "red coat", "blue jeans"' in err
    answer = _ask(call, indexed, *words[2:])
    assert answer['weighed'] == ['red coat', 'blue jeans']
    _, _, err = call('query', indexed / 'people', 'red', '--weigh-phrases')
    assert 'no phrase was found that can be weighed' in err


def test_hits_without_a_probability_are_named(indexed, call):
    """--min-probability keeps them, and must not seem to have tried them."""
    words = ['query', indexed / 'people', 'all in red']
    _, out, err = call(*words, '--min-probability', 1)
    few = len(ranked(out))
    assert few and f'--min-probability left out none of {few} hits' in err
    assert '--min-probability' not in call(*words)[2]


@pytest.mark.parametrize(('words', 'message'), [
    (['--must', 'kurta'], "'kurta' cannot be checked"),
    (['--like', 'a', '--unlike', 'a'], 'marked right and wrong')])
def test_wishes_are_read_before_a_model_is_loaded(words, message, indexed, call, monkeypatch):
    from mmtbps.search.encoders import loading
    monkeypatch.setattr(loading, 'load_encoder', None)
    assert_refused(call('query', indexed / 'people', 'red', *words), message)
