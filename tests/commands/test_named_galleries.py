"""Galleries of models by name: what they note, and which other model they refuse."""

import json

import numpy as np
import pytest
import torch
from pretrained_models import COMMITS, read_crops, save_tiny

from mmtbps.commands.main import run_command
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search import (
    GalleryMismatch,
    TextToPersonInferencer,
    load_encoder,
    open_gallery,
)
from mmtbps.search.galleries import GalleryEntry
from mmtbps.search.galleries.provenance import read_provenance

pytest_plugins = 'named_model_fixtures'  # `folders`, `crops` and `hub`
TEXT = 'a man in a red coat'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Another working directory."""
    monkeypatch.chdir(tmp_path)


def test_a_gallery_notes_the_model_and_refuses_another(folders, crops, refused, capsys):
    name = f'hf:{folders("siglip")}'
    run_command('index', ['people', str(crops), '--model', name, '--aspect', 'stretch',
                          '--prompt', 'a photo of {}', '{} in black', '--quiet'])
    note = read_provenance('people')
    model = load_dual_encoder(name, 'stretch', ['a photo of {}', '{} in black'])
    assert note.model == name and note.details == json.loads(json.dumps(model.describe()))
    assert note.details['scale'] == pytest.approx(np.exp(2)) and note.details['bias'] == -3
    # Asked as noted, without a word of the model.
    capsys.readouterr()
    run_command('query', ['people', TEXT, '--json', '--topk', '1'])
    hit = json.loads(capsys.readouterr().out)[0]['hits'][0]
    with torch.no_grad():
        scores = model.encode_images(read_crops(crops)) @ model.encode_texts([TEXT])[0]
    assert hit['score'] == pytest.approx(scores.max().item(), abs=1e-5)
    assert hit['probability'] == pytest.approx(
        1 / (1 + np.exp(-(np.exp(2) * hit['score'] - 3))), abs=1e-5)
    run_command('query', ['people', TEXT, '--topk', '1'])
    assert f'({100 * hit["probability"]:.3g} %)' in capsys.readouterr().out
    with refused('aspect: stretch there, letterbox here'):
        run_command('query', ['people', TEXT, '--model', name])
    with refused("prompts: .* there, .*the {}.* here.*--prompt 'the {}'"):
        run_command('query', ['people', TEXT, '--prompt', 'the {}'])
    run_command('info', ['people'])
    printed = capsys.readouterr().out
    assert 'model weights' in printed
    assert 'weights               those of the model\n' in printed


@pytest.mark.parametrize('prompts', [None, ['a photo of {}']])
def test_a_gallery_made_in_python_is_asked_by_its_name(prompts, folders, crops, capsys):
    name = f'hf:{folders("siglip")}'
    model = load_encoder(name, device='cpu', prompts=prompts) if prompts else name
    searcher = TextToPersonInferencer(model, gallery='people')
    searcher.index(crops, progress=False)
    expected = searcher(TEXT, topk=1)[0].hits[0]
    capsys.readouterr()
    run_command('query', ['people', TEXT, '--json', '--topk', '1'])
    hit = json.loads(capsys.readouterr().out)[0]['hits'][0]
    assert (hit['path'], hit['score']) == (expected.entry.path, pytest.approx(expected.score))
    assert read_provenance('people').details['prompts'] == (prompts or ['{}'])


def test_an_answer_to_a_picture_has_no_probability(folders, crops):
    searcher = TextToPersonInferencer(f'hf:{folders("siglip")}', gallery='people')
    searcher.index(crops, progress=False)
    assert 'probability' in searcher(TEXT, topk=1)[0].hits[0]
    assert 'probability' not in searcher.search_image(crops / '0.png', topk=1)[0].hits[0]
    other = TextToPersonInferencer(f'hf:{folders("clip")}', gallery='others')
    other.index(crops, progress=False)
    assert 'probability' not in other(TEXT, topk=1)[0].hits[0]


def test_other_weights_in_the_same_place_are_refused(folders, crops, tmp_path, refused):
    save_tiny(tmp_path, 'clip', seed=0)
    run_command('index', ['people', str(crops), '--model', f'hf:{tmp_path}', '--quiet'])
    save_tiny(tmp_path, 'clip', seed=1)
    with refused('another model .model: '):
        run_command('query', ['people', TEXT])


def test_a_hub_model_is_noted_by_its_commit(hub, crops, refused, capsys):
    """Later queries load that commit, and features of another are refused."""
    run_command('index', ['people', str(crops), '--model', 'hf:owner/name', '--quiet'])
    note = read_provenance('people')
    assert note.model == f'hf:owner/name@{COMMITS[0]}'
    assert (note.details['name'], note.details['revision']) == ('hf:owner/name', COMMITS[0])
    (hub / 'refs/main').write_text(COMMITS[1])  # the author pushes
    capsys.readouterr()
    run_command('query', ['people', TEXT])
    for name in ('hf:owner/name', f'hf:owner/name@{COMMITS[1]}'):
        with refused('revision: aaaaaaaaaaaa.* there, bbbbbbbbbbbb.* here.*--model '):
            run_command('query', ['people', TEXT, '--model', name])
    with refused('owner/name: not loaded .*HF_HUB_OFFLINE is set'):
        run_command('query', ['people', TEXT, '--model', 'hf:owner/name@v9'])


def test_a_revision_is_refused_even_if_its_weights_are_the_same(folders):
    marks = []
    for revision in COMMITS:
        encoder = load_encoder(f'hf:{folders("clip")}', device='cpu')
        encoder.network.name, encoder.network.revision = 'hf:owner/name', revision
        marks.append(encoder.fingerprint)
        assert encoder.address == f'hf:owner/name@{revision}'
    gallery = open_gallery('people', marks[0])
    gallery.upsert([GalleryEntry('a', 'a.jpg')], np.eye(1, gallery.dim, dtype=np.float32))
    with pytest.raises(GalleryMismatch, match='revision: aaaaaaaaaaaa'):
        open_gallery('people', marks[1])


def test_a_folder_that_moves_is_the_same_model(folders, tmp_path):
    (tmp_path / 'moved').mkdir()
    for path in folders('clip').iterdir():
        (tmp_path / 'moved' / path.name).write_bytes(path.read_bytes())
    there, here = (load_encoder(place, device='cpu') for place in (
        f'hf:{folders("clip")}', tmp_path / 'moved'))
    assert there.fingerprint == here.fingerprint


def test_a_gallery_whose_model_moved_says_what_to_do(crops, tmp_path, refused, capsys):
    save_tiny(tmp_path / 'old', 'clip')
    run_command('index', ['people', str(crops), '--model', f'hf:{tmp_path}/old',
                          '--quiet'])
    (tmp_path / 'old').rename(tmp_path / 'new')
    for name, *words in (['query', 'people', TEXT], ['index', 'people', str(crops), '--quiet']):
        with refused(f'people: its model was hf:{tmp_path}/old, which is gone. If it was moved, '
                     'name its new place: add --model hf:NEW to the command'):
            run_command(name, words)
    run_command('query', ['people', TEXT, '--model', f'hf:{tmp_path}/new'])


def test_a_setting_that_the_weights_do_not_tell_is_another_model(folders, tmp_path):
    marks = [load_encoder(folders('clip')).fingerprint]
    for file, values in (('config.json', dict(text_config=dict(hidden_act='gelu'))),
                         ('preprocessor_config.json', dict(image_mean=[.5, .5, .5]))):
        for path in folders('clip').iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        settings = json.loads((tmp_path / file).read_text())
        for key, value in values.items():
            settings[key] = {**settings[key], **value} if isinstance(value, dict) else value
        (tmp_path / file).write_text(json.dumps(settings))
        marks.append(load_encoder(tmp_path).fingerprint)
    assert len({mark['pipeline'] for mark in marks}) == 3
    assert len({mark['model'] for mark in marks}) == 1
