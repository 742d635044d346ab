"""The option --verify of index: what it says, with which code it ends, that it writes nothing."""

import json

import pytest
from search_command_rig import assert_refused

from mmtbps.search.galleries import open_gallery

pytest_plugins = 'search_command_fixtures'


@pytest.fixture
def verify(indexed, call):
    """A function that verifies the gallery ``people``."""
    return lambda *words: call('index', indexed / 'people', indexed / 'crops', '--verify',
                               '--quiet', *words)


def test_a_whole_gallery_is_well_and_needs_no_model(verify, indexed):
    (indexed / 'weights.pth').unlink()
    code, out, err = verify()
    assert (code, err) == (0, '') and '4 entries read: all is well' in out


def test_what_is_missing_fails_and_the_cure_it_names_works(verify, indexed, call):
    gallery = open_gallery(indexed / 'people')
    gallery.delete(where={'path': ['red.png', 'blue.png']})
    code, out, err = verify('--json')
    assert code == 1 and 'red.png: missing' in err
    assert 'error: ' in err and 'the same command without --verify encodes again' in err
    said = json.loads(out)
    assert (sorted(said['missing']), said['whole'], said['entries']) == (
        ['blue.png', 'red.png'], False, 2)
    assert open_gallery(indexed / 'people').count() == 2
    code, out, err = call('index', indexed / 'people', indexed / 'crops', '--quiet')
    assert code == 0 and '2 indexed, 2 unchanged; 4 in all' in out
    assert verify()[0] == 0


def test_notes_are_no_failure(verify, indexed):
    (indexed / 'crops/red.png').unlink()
    code, _, err = verify()
    assert code == 0 and 'red.png: note: its file is not there any more; index --prune' in err


def test_what_is_broken_is_named_with_the_command_that_removes_it(home, call):
    lance = pytest.importorskip('lancedb')
    words = ('index', home / 'people.lance', home / 'crops', '--quiet')
    model = ('--config', home / 'config.py', '--weights', home / 'weights.pth')
    assert call(*words, *model)[0] == 0
    bad = next(open_gallery(home / 'people.lance').entries({'path': 'red.png'})).id
    lance.connect(home).open_table('people').update(
        where=f"id = '{bad}'", values=dict(vector=[1.] + [0.] * 11))
    code, _, err = call(*words, '--verify')
    assert code == 1 and f'broken red.png: entry {bad}: ' in err and '--path PATH' in err
    assert call('delete', home / 'people.lance', '--path', 'red.png', '--yes')[0] == 0
    assert call(*words)[0] == call(*words, '--verify')[0] == 0


def test_options_of_a_run_that_writes_and_a_log_that_is_none_are_refused(verify, indexed, call):
    assert_refused(verify('--prune'), 'changes nothing: leave out --prune')
    assert_refused(verify('--metadata', indexed / 'crops.csv'), 'leave out --metadata')
    assert_refused(verify('--log', indexed / 'none'), 'there is no such log')
    assert not (indexed / 'none').exists()
    assert_refused(call('index', indexed / 'no', indexed / 'crops', '--verify'), 'no gallery')
    assert not (indexed / 'no').exists()
