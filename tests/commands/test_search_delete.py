"""Deletion, and the exit codes of all its commands."""

import io
import json
from dataclasses import replace

import pytest
from search_command_rig import assert_refused, ranked

from mmtbps.search.galleries import open_gallery

pytest_plugins = 'search_command_fixtures'  # `call` and `indexed`


@pytest.mark.parametrize('words, left', [
    (['--path', 'red.png', 'blue.png'], {'red-blue.png', 'green.png'}),
    (['--where', 'camera=c1,c3'], {'blue.png', 'red-blue.png'}),
    (['--where', 'camera=c1,c2', '--where', 'time=2024-01-15..'], {
        'red.png', 'red-blue.png', 'green.png'}),
    (['--path', 'red.png', '--path', 'blue.png'], {'red-blue.png', 'green.png'}),
    (['--where', 'time=..2024-01-31'], {'red-blue.png', 'green.png'}),
    (['--where', 'time=..1999-01-31'], {'red.png', 'blue.png', 'red-blue.png', 'green.png'})])
def test_delete(indexed, call, words, left):
    code, out, _ = call('delete', indexed / 'people', *words, '--yes')
    assert code == 0 and f'{4 - len(left)} removed, {len(left)} left' in out
    assert set(ranked(call('query', indexed / 'people', 'red')[1])) == left
    assert (indexed / 'crops/red.png').exists()


def test_delete_by_id_and_compact(indexed, call):
    _, out, _ = call('query', indexed / 'people', 'red', '--json')
    best = json.loads(out)[0]['hits'][0]['id']
    assert '1 removed, 3 left' in call('delete', indexed / 'people', '--id', best, '--yes')[1]
    code, out, _ = call('compact', indexed / 'people')
    assert code == 0 and '3 entries' in out


def test_delete_names_what_is_not_there_and_removes_the_rest(indexed, call):
    code, out, err = call('delete', indexed / 'people', '--path', str(indexed / 'crops/red.png'),
                          'nosuch.png', r'.\blue.png', '--yes')
    assert code == 1 and '2 removed, 2 left' in out
    assert err.splitlines() == [f'error: {indexed}/people has no entry of path nosuch.png; the '
                                'others were removed']


@pytest.mark.parametrize('where, said', [
    (['camera=C1'], ['camera=C1 (did you mean c1?)']), (['camera=c7'], ['camera=c7']),
    (['coat=RED', 'camera=c2'], ['coat=RED (did you mean red?)']),
    (['path=RED.png'], ['path=RED.png (did you mean red.png?)']),
    (['path=crops/red.png,nosuch'],
     ['path=crops/red.png (did you mean red.png?)', 'path=nosuch']),
    (['camera=c1', 'coat=blue'], []), (['time=..1999-01-31'], [])])
def test_a_filter_that_fits_nothing_names_the_values_that_nothing_has(indexed, call, where, said):
    lines = [f'no entry of {indexed}/people has {line}' for line in said]
    code, out, err = call('query', indexed / 'people', 'red', '--where', *where)
    assert code == 0 and ranked(out) == [] and err.splitlines() == lines
    code, out, err = call('delete', indexed / 'people', '--where', *where)
    assert code == 0 and '0 removed, 4 left' in out and err.splitlines() == lines


def test_a_video_without_a_date_of_an_earlier_version_is_not_removed_by_age(indexed, call):
    gallery = open_gallery(indexed / 'people')
    entries, vectors = gallery.get([entry.id for entry in gallery.entries()])
    gallery.upsert([replace(entries[0], time=2.5, extra={'video_time': '2.500'})], vectors[:1])
    words = ['delete', indexed / 'people', '--where', 'time=..2024-12-31', '--yes']
    assert_refused(call(*words), 'videos without a date.*nothing was removed')
    gallery.upsert([replace(entries[0], time=None, extra={'video_time': '2.500'})], vectors[:1])
    code, out, _ = call(*words)
    assert code == 0 and entries[0].path in {
        entry.path for entry in open_gallery(indexed / 'people').entries()}


@pytest.mark.parametrize('words, code', [
    (['query', '{}/people', 'red'], 0),
    (['query', '{}/people', 'red', '--where', 'camera=c7'], 0),   # an answer: nobody
    (['index', '{}/people', '{}/crops', '--quiet'], 0),           # nothing new
    (['info', '{}/people'], 0), (['compact', '{}/people'], 0),
    (['delete', '{}/people', '--where', 'time=..1999-01-01', '--yes'], 0),
    (['delete', '{}/people', '--path', 'nosuch', '--yes'], 1),
    (['query', '{}/nothing', 'red'], 1), (['info', '{}/nothing'], 1), (['compact', '{}/no'], 1),
    (['serve', '{}/nothing'], 1), (['index', '{}/people', '{}/nothing'], 1),
    (['query', '{}/people'], 2), (['index', '{}/people'], 2), (['delete', '{}/people'], 2),
    (['query', '{}/people', 'red', '--topk', 'many'], 2), (['serve'], 2), (['find'], 2), ([], 2),
    (['delete', '{}/people', '--path', 'a', '--id', 'b'], 2), (['compact'], 2), (['info'], 2)])
def test_exit_codes(indexed, call, words, code):
    assert call(*(word.format(indexed) for word in words))[0] == code


@pytest.mark.parametrize('terminal, said, left', [
    (False, '', 4), (True, 'n\n', 4), (True, '\n', 4), (True, 'y\n', 3)])
def test_delete_asks(indexed, call, monkeypatch, terminal, said, left):
    stdin = io.StringIO(said)
    stdin.isatty = lambda: terminal
    monkeypatch.setattr('sys.stdin', stdin)
    answer = call('delete', indexed / 'people', '--where', 'camera=c1')
    if not terminal:
        assert_refused(answer, 'Remove 1 of 4 entries of .*--yes')
    assert json.loads(call('info', indexed / 'people', '--json')[1])['entries'] == left
