"""Galleries, saved and exported models, and extracted features of version 0.1.0 still serve."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from written_by_0_1 import FIXTURES, SENTENCES, call, copy_of

from mmtbps.search import TextToPersonInferencer

# Each gallery with the model it was made with; three ways to name the second one.
GALLERIES = [('galleries/people.lance', ('models/plain.py', 'models/plain.pth')),
             ('galleries/people.lance', ('models/plain', None)),
             ('galleries/people', ('models/projected.py', 'models/projected.pth')),
             ('galleries/people', ('models/projected', None)),
             ('galleries/people', ('models/exported', None))]
KINDS = [GALLERIES[0], GALLERIES[2]]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The old folders where nothing knows them; paths of their configs start from here."""
    copy_of(tmp_path, 'crops', 'more_crops', 'models', 'galleries', 'extracted', 'drawn/tokenizer')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(name):
    return json.loads((FIXTURES / name).read_text())


def options(model):
    config, weights = model
    return ['--config', config, *(['--weights', weights] if weights else [])]


def assert_same_answer(found, expected, new=frozenset()):
    """The same people in the same order with the same scores and all that is noted of them.

    Keys in ``new`` were not there then.
    """
    assert [answer['query'] for answer in found] == [answer['query'] for answer in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose([hit['score'] for hit in one['hits']],
                                   [hit['score'] for hit in other['hits']], atol=2e-6)
        for hit, known in zip(one['hits'], other['hits'], strict=True):
            assert hit.keys() - known.keys() <= new
            assert {key: hit[key] for key in known} | dict(score=0) == dict(known, score=0)


@pytest.mark.parametrize('gallery, model', GALLERIES)
def test_an_old_gallery_answers_as_it_did(home, gallery, model):
    expected = read('galleries/answers.json')[gallery]
    searcher = TextToPersonInferencer(*model, gallery=gallery, device='cpu', images='crops')
    assert_same_answer(searcher(SENTENCES, topk=12), expected['all'])
    assert_same_answer(
        searcher(SENTENCES, topk=12, where=dict(camera=['cam_a'], number='even')),
        expected['some'])
    best = expected['all'][0]['hits'][0]
    with Image.open(home / 'crops' / best['path']) as picture:
        assert searcher.picture(best).size == picture.size


@pytest.mark.parametrize('gallery, model', KINDS)
def test_the_command_line_answers_as_it_did(home, capsys, gallery, model):
    call('search', 'query', gallery, *SENTENCES, '--topk', 12, '--json', '--device', 'cpu',
         '--images', 'crops', *options(model))
    assert_same_answer(json.loads(capsys.readouterr().out),
                       read('galleries/answers.json')[gallery]['all'], new={'estimate'})


@pytest.mark.parametrize('gallery, model', KINDS)
def test_indexing_goes_on_with_what_is_new_alone(home, capsys, gallery, model):
    for path in (home / 'more_crops').rglob('*.jpg'):
        target = home / 'crops' / path.relative_to(home / 'more_crops')
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    command = ['search', 'index', gallery, 'crops', '--device', 'cpu', '--quiet', *options(model)]
    call(*command)
    assert '2 indexed, 12 unchanged' in (out := capsys.readouterr().out) and '14 in all' in out
    call(*command)
    assert '0 indexed, 14 unchanged' in capsys.readouterr().out
    searcher = TextToPersonInferencer(*model, gallery=gallery, device='cpu')
    expected = read('galleries/answers.json')[gallery]['all']
    old = [[hit for hit in answer['hits'] if hit['extra']] for answer in searcher(
        SENTENCES, topk=14)]
    assert [[hit['path'] for hit in hits] for hits in old] == [
        [hit['path'] for hit in answer['hits']] for answer in expected]


@pytest.mark.parametrize('gallery, model', KINDS)
def test_info_delete_and_compact(home, capsys, gallery, model):
    call('search', 'info', gallery, '--json')
    known = json.loads(capsys.readouterr().out)
    name = 'plain' if 'plain' in model[0] else 'projected'
    assert known['entries'] == 12
    assert known['fingerprint'] == read('models/fingerprints.json')[name]['fingerprint']
    assert known['model'].endswith(model[0]) and known['images'].endswith('/crops')
    call('search', 'delete', gallery, '--where', 'number=odd', 'camera=cam_a', '--yes')
    left = 12 - sum(line.endswith(',odd') and ',cam_a,' in line
                    for line in (FIXTURES / 'crops.csv').read_text().splitlines())
    assert f'{12 - left} removed, {left} left' in capsys.readouterr().out and left < 12
    call('search', 'compact', gallery)
    assert f'{left} entries' in capsys.readouterr().out


@pytest.mark.parametrize('name, model', [
    ('plain', ('models/plain.py', 'models/plain.pth')), ('plain', ('models/plain', None)),
    ('projected', ('models/projected.py', 'models/projected.pth')),
    ('projected', ('models/projected', None)), ('exported', ('models/exported', None))])
def test_old_models_give_the_features_they_gave(home, name, model):
    """With the fingerprint that galleries keep; without it they would have to be made again."""
    encoder = TextToPersonInferencer(*model, device='cpu').encoder
    expected = load_file(FIXTURES / 'models/features.safetensors')
    crops = [Image.open(path) for path in sorted((FIXTURES / 'crops').rglob('*.jpg'))]
    for found, kind in ((encoder.encode_images(crops), 'images'),
                        (encoder.encode_texts(SENTENCES), 'texts')):
        np.testing.assert_allclose(found, expected[f'{name}.{kind}'], atol=2e-6)
    known = read('models/fingerprints.json')[name]['fingerprint']
    assert known == encoder.fingerprint or known in encoder.fingerprint.former()


@pytest.mark.parametrize('name', ['plain', 'projected'])
def test_an_old_folder_saved_again_is_the_same_model(home, name):
    old = TextToPersonInferencer.from_pretrained(f'models/{name}', device='cpu')
    old.save_pretrained('again')
    new = TextToPersonInferencer.from_pretrained('again', device='cpu')
    assert new.encoder.fingerprint == old.encoder.fingerprint
    np.testing.assert_array_equal(new.encoder.encode_texts(SENTENCES),
                                  old.encoder.encode_texts(SENTENCES))


def test_an_extraction_that_was_stopped_goes_on(home, capsys):
    before = (home / 'extracted/part_000000000.npy').read_bytes()
    call('extract_features', 'models/projected.py', 'models/projected.pth', 'crops', 'extracted',
         '--part-size', 8, '--dtype', 'float32', '--device', 'cpu')
    assert '4 of 4 images encoded now into 1 files, 8 were there before' in capsys.readouterr().out
    assert (home / 'extracted/part_000000000.npy').read_bytes() == before
    found = np.concatenate([np.load(path) for path in sorted((home / 'extracted').glob('*.npy'))])
    expected = load_file(FIXTURES / 'models/features.safetensors')['projected.images']
    np.testing.assert_allclose(found, expected, atol=2e-6)
