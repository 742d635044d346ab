"""The command that calibrates: files beside model and gallery, a search that uses them, refusals.

A model of colours sees people of two colours: some are dressed alike, as people are.
"""

import json
import re
from itertools import product

import pytest
from PIL import Image
from search_command_fixtures import ColorEncoder
from search_command_rig import assert_refused

pytest.importorskip('sklearn')
pytestmark = pytest.mark.usefixtures('same_log_level_afterwards')
pytest_plugins = 'search_command_fixtures'  # `call` and `home`

COLORS = ('red', 'green', 'blue', 'yellow', 'black', 'white', 'purple', 'orange')
CONFIG = '''
_data = dict(type='CUHKPEDES', data_root={root!r}, test_mode=True)
val_dataloader = dict(dataset=dict(_data, split='val'))
test_dataloader = dict(dataset=dict(_data, split='test'))
'''


@pytest.fixture
def config(home):
    """A config of 40 people in two splits, and a gallery of the crops of one."""
    from fakes import paint
    records = []
    for split in ('val', 'test'):
        for person, (upper, lower) in enumerate([*product(COLORS, COLORS)][3:48], start=1):
            name = f'{split}-{person}.png'
            (home / 'imgs').mkdir(exist_ok=True)
            paint(upper, lower).save(home / 'imgs' / name)
            records.append(dict(split=split, id=person, file_path=name, processed_tokens=[],
                                captions=[f'{upper} coat, {lower} trousers', f'{lower} {upper}']))
    (home / 'reid_raw.json').write_text(json.dumps(records))
    file = home / 'data.py'
    file.write_text(CONFIG.format(root=str(home)))
    return file


@pytest.fixture
def gallery(home, call):
    """A gallery of the people of both splits."""
    pytest.importorskip('PIL')

    def index():
        code, _, err = call('index', home / 'people', home / 'imgs', '--config',
                            home / 'config.py', '--weights', home / 'weights.pth')
        assert code == 0, err
        return home / 'people'
    return index


def test_a_search_tells_who_is_there_by_the_file_of_its_gallery(config, gallery, home, call):
    people = gallery()
    before = (people / 'gallery.json').read_bytes()
    code, out, err = call('calibrate', config, home / 'weights.pth', '--gallery', people,
                          '--check', 'test', '--sizes', '20', '1000', '--plot',
                          home / 'reliability.png')
    assert code == 0, err
    assert re.search(r'^not measured at 1000 people: the split has \d+$', err, re.MULTILINE)
    written = home / 'weights.presence.json'
    assert out.splitlines()[:2] == [str(written), str(people / 'presence.json')]
    assert written.read_bytes() == (people / 'presence.json').read_bytes()
    assert 'split val' in out and '45 people, 90 sentences x 45 pictures' in out
    assert out.endswith('reliability.png\n') and Image.open(home / 'reliability.png').width > 500
    assert '| 20 people, 50 % there | calibrated |' in out and '1000 people' not in out
    assert (people / 'gallery.json').read_bytes() == before

    answer, = json.loads(call('query', people, 'red coat, yellow trousers', '--json')[1])
    assert answer['presence']['calibrated'] and answer['presence']['searched'] == 90
    assert answer['presence']['basis'].startswith('fitted on')
    assert answer['hits'][0]['probability'] <= answer['presence']['probability']
    _, out, _ = call('query', people, 'red coat, yellow trousers')
    assert '% that the person is among the 90 searched\n' in out and 'not calibrated' not in out
    _, shown, err = call('query', people, 'red coat, yellow trousers', '--min-probability', '1')
    assert 'among the 90 searched' in shown and 'nothing found' in shown
    best = answer['hits'][0]['probability']
    assert f'--min-probability 1 left out all 10 hits; the best has {best:.2g}\n' in err


def test_short_sentences_have_probabilities_by_parts_of_captions(config, gallery, home, call):
    people = gallery()
    code, out, err = call('calibrate', config, home / 'weights.pth', '--gallery', people,
                          '--check', 'test', '--sizes', '20', '1000', '--seed', '1')
    assert code == 0, err
    captions, parts = [line for line in out.splitlines() if line.startswith('fitted on ')]
    assert ' 90 sentences x ' in captions and ' parts of captions x 45 pictures, ' in parts
    _, table = out.split('parts of captions, half of the time with somebody whom they fit:')
    rows = [line.split(' | ')[:2] for line in table.splitlines() if line.startswith('| 20 ')]
    assert [[f'| 20 people, {who}', way] for who in ('one who fits', 'all who fit') for way in (
        'largest', 'margin', 'running z', 'label free', 'calibrated', 'hits')] == rows
    answers = json.loads(call('query', people, 'red', 'red coat, yellow trousers',
                              'red red red red red red red red red red', '--json')[1])
    assert [(each['presence']['calibrated'], each['presence']['basis']) for each in answers] == [
        (True, parts), (True, captions), (
            False, 'not calibrated for sentences of 2 to 4 words or 1 to 9 words, and this one '
            'has 10')]


def test_captions_without_parts_leave_short_sentences_without_a_probability(config, home, call):
    records = json.loads((home / 'reid_raw.json').read_text())
    for record in records:
        record['captions'] = record['captions'][1:]
    (home / 'reid_raw.json').write_text(json.dumps(records))
    code, out, err = call('calibrate', config, home / 'weights.pth', '--check', 'test', '--sizes',
                          '20')
    assert code == 0, err
    assert 'no probabilities for short sentences, by parts of captions: nothing is read in' in out
    assert 'half of the time' not in out
    assert json.loads((home / 'weights.presence.json').read_text())['others'] == []


def test_a_check_without_parts_of_captions_measures_and_draws_the_rest(config, home, call):
    file = home / 'reid_raw.json'
    records = json.loads(file.read_text())
    for record in records:
        if record['split'] == 'test':
            record['captions'] = ['xyz ' * 4 + str(record['id'])]
    file.write_text(json.dumps(records))
    code, out, err = call('calibrate', config, home / 'weights.pth', '--check', 'test', '--sizes',
                          '20', '--plot', home / 'reliability.png', '--seed', '1')
    assert code == 0, err
    assert '| 20 people, 50 % there | calibrated |' in out
    assert '\nparts of captions are not measured: nothing is read in the captions' in out
    assert (home / 'reliability.png').exists()


def test_marks_are_by_the_bounds_that_captions_gave(config, gallery, home, call, caplog):
    people = gallery()
    answer, = json.loads(call('query', people, 'red coat', '--marks', '--json')[1])
    assert answer['marked_by'] == 'label-free'
    code, out, err = call('calibrate', config, home / 'weights.pth', '--gallery', people)
    assert code == 0, err
    assert 'marks of phrases (clothing) by ' in out
    beside = home / 'weights.phrases.json'
    assert beside.read_bytes() == (people / 'phrases.json').read_bytes()
    low, high = json.loads(beside.read_text())['phrase_bounds']['clothing']
    answer, = json.loads(call('query', people, 'red coat', '--topk', '90', '--marks', '--json')[1])
    marks = [hit['marks'][0] for hit in answer['hits']]
    assert answer['marked_by'] == 'calibrated' and len({mark['mark'] for mark in marks}) == 3
    assert [mark['mark'] for mark in marks] == [
        'yes' if mark['margin'] >= high else 'no' if mark['margin'] <= low else 'unsure'
        for mark in marks]
    former = json.loads(beside.read_text())
    assert former.pop('version') == 2
    (people / 'phrases.json').write_text(json.dumps(former))
    answer, = json.loads(call('query', people, 'red coat', '--marks', '--json')[1])
    assert answer['marked_by'] == 'label-free'
    (people / 'phrases.json').unlink()
    assert 'phrases.json: bounds of margins of another version' in caplog.text
    stranger = dict(former, version=2)
    stranger['fingerprint']['model'] = 'another'
    (people / 'phrases.json').write_text(json.dumps(stranger))
    beside.unlink()
    answer, = json.loads(call('query', people, 'red coat', '--marks', '--json')[1])
    assert answer['marked_by'] == 'label-free'
    (people / 'phrases.json').write_text('{')
    assert_refused(call('query', people, 'red coat', '--marks'), 'phrases.json: no bounds of phr')


def test_without_a_calibration_the_estimate_says_so(config, gallery, call):
    people = gallery()
    _, out, _ = call('query', people, 'red coat, yellow trousers')
    assert 'among the 90 searched (not calibrated)' in out and '(~' in out
    answer, = json.loads(call('query', people, 'all in red', '--json')[1])
    assert not answer['presence']['calibrated'] and 'probability' not in answer['hits'][0]
    code, _, _ = call('compact', people)
    assert code == 0 and not (people / 'statistics.safetensors').exists()


def test_a_named_file_and_a_prior(config, gallery, home, call):
    people = gallery()
    file = home / 'made/own.json'
    (home / 'made').mkdir()
    code, out, err = call('calibrate', config, home / 'weights.pth', '--out', file, '--method',
                          'isotonic', '--json')
    assert code == 0, err
    assert json.loads(out)['files'] == [str(file)] and 'isotonic' in json.loads(out)['protocol']
    asked = ['query', people, 'red coat, yellow trousers', '--json', '--calibration', file]
    half, few = (json.loads(call(*asked, '--prior', prior)[1])[0]['presence']['probability']
                 for prior in ('0.5', '0.05'))
    assert few < half
    assert_refused(call(*asked, '--prior', '1'), 'between 0 and 1, got 1')
    (home / 'weights.pth').write_text('second')
    call('calibrate', config, home / 'weights.pth', '--out', file)
    assert_refused(call(*asked), 'own.json is the calibration of another model')
    file.write_text('{}')
    assert_refused(call(*asked), 'own.json is no calibration, or damaged')


def test_what_is_refused_before_anything_is_computed(config, gallery, home, call):
    people = gallery()
    assert_refused(call('calibrate', config, '--model', 'hf:owner/name'),
                   'hf:owner/name has no folder here: name a file with --out')
    (home / 'other.pth').write_text('second')
    assert_refused(call('calibrate', config, home / 'other.pth', '--gallery', people),
                   'holds features of another model')
    assert not (people / 'presence.json').exists()
    assert_refused(call('calibrate', config, home / 'weights.pth', '--plot', home / 'a.png'),
                   '--plot draws what --check measures')
    for sizes, says in (['0'], 'from 1 on, got 0'), (['5000', '6000'], '--sizes must be below'):
        assert_refused(call('calibrate', config, home / 'weights.pth', '--check', 'test',
                            '--sizes', *sizes), says)
    assert_refused(call('calibrate', config, home / 'weights.pth', '--sizes', '20'),
                   '--sizes are those of --check')
    assert_refused(call('calibrate', config, home / 'weights.pth', '--check', 'test', '--plot',
                        home / 'a.foo'), 'a.foo: a diagram is a file of')
    assert_refused(call('query', people, 'a man in red', '--min-probability', '2'), '0 to 1, got 2')
    assert ColorEncoder.dim == 12
