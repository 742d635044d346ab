"""Search from folder to answer, and what it refuses."""

import json
import re
import shlex
import socket
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from search_command_rig import assert_refused, ranked
from tiny_models import shrink

from mmtbps.commands.main import run_command
from mmtbps.errors import UserError
from mmtbps.search.galleries import BaseGallery

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/search'))  # fakes.py
from fakes import ColorEncoder, paint_folder  # noqa: E402

pytest_plugins = 'search_command_fixtures'  # `call`, `home` and `indexed`


def test_a_query_needs_no_more_than_the_gallery(indexed, call):
    code, out, err = call('query', indexed / 'people', 'red above, blue below', '--topk', 2)
    assert code == 0 and ranked(out)[0] == 'red-blue.png' and len(ranked(out)) == 2
    assert '1.000' in out


def test_filters_of_the_command_line(indexed, call):
    for words, expected in ((['camera=c1,c2'], {'red.png', 'blue.png'}),
                            (['camera=c1,c2', 'coat=blue'], {'blue.png'}),
                            (['time=2024-01-15..2024-02-01'], {'blue.png', 'green.png'})):
        _, out, _ = call('query', indexed / 'people', 'red', '--where', *words)
        assert set(ranked(out)) == expected


def test_an_answer_in_every_form(indexed, call, tmp_path):
    for name in ('answer.html', 'answer.png', 'answer.json'):
        code, out, err = call('query', indexed / 'people', 'red', 'blue', '--out', tmp_path / name)
        assert code == 0 and name in err
    assert (tmp_path / 'answer.html').read_text().count('<img') == 8
    assert Image.open(tmp_path / 'answer.png').width > 600
    saved = json.loads((tmp_path / 'answer.json').read_text())
    _, out, _ = call('query', indexed / 'people', 'red', 'blue', '--json')
    assert json.loads(out) == saved
    assert [result['hits'][0]['path'] for result in saved] == ['red.png', 'blue.png']


def test_a_second_index_needs_no_model_and_finds_nothing_new(indexed, call):
    code, out, err = call('index', indexed / 'people', indexed / 'crops', '--quiet')
    assert code == 0 and '0 indexed, 4 unchanged; 4 in all' in out and err == ''


def test_skipped_files_are_named(indexed, call):
    for number in range(12):
        (indexed / f'crops/broken{number:02}.jpg').write_bytes(b'broken')
    code, out, err = call('index', indexed / 'people', indexed / 'crops', '--quiet')
    assert code == 1 and '12 skipped' in out
    assert 'skipped broken00.jpg: no image of a known format' in err and '2 more' in err
    assert err.endswith('error: 12 of the files were skipped; all others are in the gallery\n')


def test_new_weights_are_refused_with_the_command_that_helps(indexed, call):
    (indexed / 'weights.pth').write_text('trained longer')
    assert call('query', indexed / 'people', 'red')[0] == 0  # with the model it was made with
    model = '--config', indexed / 'config.py', '--weights', indexed / 'weights.pth'
    answer = call('query', indexed / 'people', 'red', *model)
    assert_refused(answer, 'features of another model')
    words = shlex.split(re.search(r'(mmtbps index NEW.lance .*)$',
                                  answer[2].strip())[1])
    assert words[3:] == [str(indexed / 'crops'), *map(str, model)]
    assert_refused(call('index', indexed / 'people', indexed / 'crops', *model), 'another model')
    # What it says works, with a gallery of another kind.
    code, _, err = call('index', indexed / 'new', *words[3:])
    assert code == 0 and call('query', indexed / 'new', 'red')[0] == 0


def test_info(indexed, call):
    known = json.loads(call('info', indexed / 'people', '--json')[1])
    assert (known['entries'], known['dim']) == (4, 12)
    assert known['fingerprint']['model'] == 'first'
    assert known['images'] == str(indexed / 'crops')
    assert Path(known['model']).parent == indexed and known['weights'] is None
    lines = [line.split() for line in call('info', indexed / 'people')[1].splitlines()]
    assert ['entries', '4'] in lines and ['fingerprint', 'model', 'first'] in lines
    assert ['people', 'detector', 'none,', 'a', 'file', 'is', 'one', 'person'] in lines


@pytest.mark.parametrize('words, message', [
    (['query', '{}/nothing', 'red'], 'no gallery'),
    (['info', '{}/nothing'], "no gallery.*/nothing'? IMAGES --model MODEL"),
    (['query', '{}/people', ''], 'empty'),
    (['query', '{}/people', 'red', '--topk', '0'], 'topk'),
    (['query', '{}/people', 'red', '--where', 'camera'], 'key=value'),
    (['query', '{}/people', 'red', '--where', 'time=yesterday'], "'yesterday'"),
    (['query', '{}/people', 'red', '--where', "x' OR '1'='1"], 'no name'),
    (['query', '{}/people', 'red', '--out', '{}/a.gif'], 'written as'),
    (['query', '{}/people', 'red', '--out', '{}/nowhere/a.html'], 'no such folder'),
    (['query', '{}/people', 'red', '--out', '{}/a.html', '--images', '{}/gone'], '--images'),
    (['delete', '{}/people', '--where', 'colour=red', '--yes'], 'no entry of'),
    (['delete', '{}/people', '--id', 'nope', 'none', '--yes'],
     'people has no entry of id nope or none; nothing was removed'),
    (['delete', '{}/people', '--path', 'nothing.png', '--yes'], 'no entry of path nothing.png'),
    (['delete', '{}/people', '--path', 'RED.PNG', '--yes'], r'RED.PNG .did you mean red.png\?'),
    (['query', '{}/people', 'red', '--where', 'track=t1'], 'no entry of .*/people has a track'),
    (['query', '{}/people', 'red', '--where', 'frame=1..'], 'no entry of .*/people has a frame'),
    (['delete', '{}/people', '--where', 'track=t1', '--yes'], 'no entry of .*/people has a track'),
    (['index', '{}/people', '{}/nowhere'], 'no such file or folder'),
    (['index', '{}/new', '{}/crops'], 'no note of its model'),
    (['index', '{}/people', '{}/crops', '--metadata', '{}/config.py'], '.csv or .jsonl'),
    (['index', '{}/people', '{}/crops', '--metadata', '{}/none.csv'], 'none.csv'),
    (['index', '{}/people', '{}/crops', '--shard', '4/4'], 'i from 0 to n-1'),
    (['index', '{}/people', '{}/crops', '--workers', '0'], 'workers must be at least 1, got 0'),
    (['index', '{}/people', '{}/crops', '--commit-every', '0'], 'commit_every must be'),
    (['index', '{}/people', '{}/crops', '--batch-size', '-1'], 'batch_size must be'),
    (['index', '{}/people', '{}', '--quiet'], 'lies outside.*: add --images FOLDER'),
    (['index', '{}/people', '{}/crops', '--track'], '--detector'),
    (['index', '{}/crops', '{}/crops', '--config', 'x', '--weights', '{}/weights.pth'],
     'other files and no gallery'),
])
def test_errors_are_one_line(indexed, call, words, message):
    assert_refused(call(*(word.format(indexed) for word in words)), message)


@pytest.mark.parametrize('error', [RuntimeError('r'), KeyError('k'), ValueError('v')])
@pytest.mark.parametrize('words', [['query', 'red'], ['index', 'crops', '--quiet']])
def test_a_fault_of_the_program_keeps_its_traceback(indexed, call, monkeypatch, error, words):
    def fail(*_):
        raise error

    for name in ('encode_texts', 'encode_images'):
        monkeypatch.setattr(ColorEncoder, name, fail)
    monkeypatch.chdir(indexed)
    paint_folder('crops', 'black')
    code, _, said = call(words[0], 'people', *words[1:])
    assert code == 70 and 'raise error' in said
    assert f'\n{type(error).__name__}: {error}\n' in said


def test_a_fault_of_the_user_is_one_line_wherever_it_comes_from(indexed, call, monkeypatch):
    def fail(*_):
        raise UserError('no such\n  thing')

    monkeypatch.setattr(ColorEncoder, 'encode_texts', fail)
    assert_refused(call('query', indexed / 'people', 'red'), 'no such thing$')


def test_a_command_opens_the_gallery_once(indexed, call, monkeypatch):
    opened, begin = [], BaseGallery.__init__

    def count(self, uri, *rest):
        opened.append(uri)
        begin(self, uri, *rest)

    monkeypatch.setattr(BaseGallery, '__init__', count)
    monkeypatch.setattr('mmtbps.search.webui.serve', lambda searcher, *_: searcher('red'))
    queries = [['query', 'red', *more] for more in (
        [], ['--json'], ['--where', 'camera=c1'],
        *(['--out', f'answer{suffix}'] for suffix in ('.html', '.png', '.json')))]
    monkeypatch.chdir(indexed)
    for command, *rest in [*queries, ['serve'], ['info'], ['compact'], ['index', 'crops']]:
        opened.clear()
        assert call(command, 'people', *rest)[0] == 0
        assert opened == ['people'], (command, rest)


def test_values_are_data_and_never_a_query(indexed, call):
    for value in ("c1' OR '1'='1", 'c1"; DROP TABLE people; --', '%', '*'):
        code, out, _ = call('query', indexed / 'people', 'red', '--where', f'camera={value}')
        assert code == 0 and ranked(out) == []
        code, out, _ = call('delete', indexed / 'people', '--where', f'camera={value}', '--yes')
        assert code == 0 and '0 removed, 4 left' in out


def test_a_query_of_ten_thousand_words_is_handled(indexed, call):
    words = 'a man in a red coat and blue trousers ' * 1250
    code, out, _ = call('query', indexed / 'people', words, '--out', indexed / 'answer.html')
    assert code == 0 and (indexed / 'answer.html').stat().st_size < 50_000
    code, out, _ = call('query', indexed / 'people', words)
    assert len(ranked(out)) == 4 and len(out) < 2000


def test_a_folder_that_moved(indexed, call):
    (indexed / 'crops').rename(indexed / 'moved')
    assert_refused(call('query', indexed / 'people', 'red', '--out', indexed / 'a.html'), 'is gone')
    code, *_ = call('query', indexed / 'people', 'red', '--out', indexed / 'a.html', '--images',
                    indexed / 'moved')
    assert code == 0 and (indexed / 'a.html').read_text().count('<img') == 4
    code, out, _ = call('index', indexed / 'people', indexed / 'moved', '--quiet')
    assert '4 unchanged' in out
    assert call('query', indexed / 'people', 'red', '--out', indexed / 'a.html')[0] == 0


def test_people_are_found_first_if_there_is_a_detector(home, call, monkeypatch):
    from mmtbps.search.media import detector as detection

    class Lower:
        batch_size = 8

        def __init__(self, model, threshold, device):
            assert (model, threshold, device) == ('weights/rtdetr', .7, 'cpu')

        def __call__(self, images):
            return [[detection.Detection((0, 8, 8, 16), .9)] for _ in images]

    monkeypatch.setattr(detection, 'PersonDetector', Lower)
    words = ['index', home / 'people', home / 'crops', '--config', 'x', '--weights',
             home / 'weights.pth', '--detector', 'weights/rtdetr', '--threshold', '.7', '--device',
             'cpu']
    assert '4 indexed' in call(*words)[1] and '4 unchanged' in call(*words)[1]
    _, out, _ = call('query', home / 'people', 'blue', '--topk', 2, '--json')
    hits = json.loads(out)[0]['hits']
    assert {hit['path'] for hit in hits} == {'blue.png', 'red-blue.png'}
    assert [hit['box'] for hit in hits] == [[0, 8, 8, 16]] * 2


def test_an_interrupted_index_says_so(home, call, monkeypatch):
    monkeypatch.setattr(ColorEncoder, 'encode_images', Mock(side_effect=KeyboardInterrupt))
    assert_refused(call('index', home / 'people', home / 'crops', '--quiet', '--config', 'x',
                        '--weights', home / 'weights.pth'), 'interrupted', code=130)


@pytest.mark.parametrize('name', ['nothing', 'nothing.lance'])
def test_serve_without_a_gallery_says_so(call, tmp_path, name):
    for images in ([], ['--images', tmp_path]):
        assert_refused(call('serve', tmp_path / name, *images), 'there is no gallery')


def test_serve_hands_over_the_gallery_and_its_folder(indexed, call, monkeypatch):
    from mmtbps.search import webui as page
    asked = {}
    monkeypatch.setattr(page, 'check_free', lambda host, port: None)
    monkeypatch.setattr(page, 'serve', lambda searcher, images, uploads, host, port: asked.update(
        found=searcher('red', topk=1), images=images, uploads=uploads, host=host, port=port))
    code, *_ = call('serve', indexed / 'people', '--port', '8123')
    assert code == 0 and asked['found'][0]['hits'][0]['path'] == 'red.png'
    assert (asked['images'], asked['uploads']) == (indexed / 'crops', None)
    assert (asked['host'], asked['port']) == ('127.0.0.1', 8123)


def test_an_address_that_is_taken_is_told_before_a_model_is_loaded(indexed, call, monkeypatch):
    monkeypatch.setattr('mmtbps.search.encoders.loading.load_encoder',
                        Mock(side_effect=AssertionError))
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(call('serve', indexed / 'people', '--port', port),
                       f'127.0.0.1:{port}: the page cannot be opened')


def test_the_whole_way_with_a_model(micro_set, tmp_path, monkeypatch, capsys):
    """A real model of random weights, which the gallery remembers by its path."""
    from mmtbps.search.encoders.torch_encoder import TorchEncoder
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py'), micro_set, tmp_path)
    cfg.dump(tmp_path / 'tiny.py')
    torch.manual_seed(0)
    model = TorchEncoder(str(tmp_path / 'tiny.py'), weights='random', device='cpu').model
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'tiny.pth')
    crops = micro_set / 'imgs/cam_a'
    monkeypatch.chdir(tmp_path)
    run_command('index', ['people', str(crops), '--config', 'tiny.py', '--weights', 'tiny.pth',
                          '--device', 'cpu', '--log', 'log.jsonl'])
    assert f'{(count := len(list(crops.iterdir())))} indexed' in capsys.readouterr().out
    assert len((tmp_path / 'log.jsonl').read_text().splitlines()) == count
    monkeypatch.chdir(crops)  # paths in the note are absolute
    run_command('query', [str(tmp_path / 'people'), 'a woman in a red coat', '--json',
                          '--device', 'cpu'])
    hits = json.loads(capsys.readouterr().out)[0]['hits']
    assert len(hits) == 10 and all((crops / hit['path']).exists() for hit in hits)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'tiny.pth')
    with pytest.raises(SystemExit):
        run_command('query', f'{tmp_path}/people red --config {tmp_path}/tiny.py --weights '
                             f'{tmp_path}/tiny.pth'.split())
    assert 'features of another model' in capsys.readouterr().err
