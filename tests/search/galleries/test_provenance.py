"""The note of where a gallery came from, and how far an index run is."""

import json
import re

import pytest

from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.galleries.provenance import (
    NotedProgram,
    Provenance,
    check_noted_model,
    read_provenance,
    write_provenance,
)
from mmtbps.search.indexing.progress import IndexProgress


def test_a_note_keeps_what_is_not_said_again(tmp_path, monkeypatch):
    gallery = tmp_path / 'people'
    gallery.mkdir()
    (tmp_path / 'crops').mkdir()
    monkeypatch.chdir(tmp_path)
    write_provenance('people', model='vit_bert_base_drawn', weights=None)
    write_provenance('people', images='crops')
    assert read_provenance('people') == Provenance(str(tmp_path / 'crops'),
                                                   'vit_bert_base_drawn', None)
    write_provenance('people', model='other')
    assert read_provenance(str(gallery)).images == str(tmp_path / 'crops')
    assert read_provenance(str(gallery)).model == 'other'


@pytest.mark.parametrize('uri', ['http://host:19530/people', 's3://bucket/people.lance', 'nowhere'])
def test_without_a_folder_there_is_no_note(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    write_provenance(uri, images=tmp_path)
    assert read_provenance(uri) == Provenance() and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('text', ['{', '[]', '{"pictures": "x"}', '{"images": 3}'])
def test_a_broken_note_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / 'origin.json').write_text(text)
    with pytest.raises(ValueError, match='origin.json: broken'):
        read_provenance(str(tmp_path))


@pytest.mark.parametrize('note, said', [
    (dict(images='a\0b'), 'images holds a zero byte'), (dict(model='\0'), 'model holds'),
    (dict(weights='\0'), 'weights holds'), (dict(images='\ud800'), 'surrogates'),
    (dict(details=dict(aspect=5)), "aspect cannot be '5'"),
    (dict(details=dict(prompts='a {}')), "prompts cannot be 'a {}'"),
    (dict(details=dict(prompts=['{}', 3])), "1 cannot be '3'"),
    (dict(detection={}), "no 'detector'"), (dict(detection=dict(detector=5)), 'detector cannot be'),
    (dict(detection=dict(detector='hf:a/b', weights='1', threshold='low')), 'threshold cannot be'),
    (dict(detection=dict(detector=None, every='1')), 'every cannot be'),
    (dict(detection=dict(detector=None, track='no')), 'track cannot be'),
    (dict(images='x' * (1 << 20)), 'bytes')])
def test_a_note_that_was_edited_by_hand_is_an_error_and_no_traceback(tmp_path, note, said):
    (tmp_path / 'origin.json').write_text(json.dumps(note))
    with pytest.raises(BadValue, match=f'origin.json: broken .*{said}'):
        read_provenance(str(tmp_path))


@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_a_folder_of_images_may_be_noted_relative_to_the_gallery(tmp_path, monkeypatch, mark):
    """By hand, so that both can be moved, in an editor that begins a file with a mark."""
    (tmp_path / 'people').mkdir()
    (tmp_path / 'people/origin.json').write_text(mark + '{"images": "../crops"}', encoding='utf-8')
    monkeypatch.chdir('/')
    assert read_provenance(str(tmp_path / 'people')).images == str(tmp_path / 'crops')


def test_a_detector_of_ones_own_may_have_settings_of_any_kind(tmp_path):
    detection = dict(detector='mine.Detector', weights=None, threshold=[.3, .5], every=1.)
    write_provenance(str(tmp_path), detection=detection)
    assert read_provenance(str(tmp_path)).detection == detection


def test_a_line_of_progress():
    progress = IndexProgress(200)
    for _ in range(50):
        progress.advance('3 skipped')
    assert progress.line('3 skipped', elapsed=10.) == (
        '50 of 200 files, 3 skipped; 5.0 files a second, 30 s left')


@pytest.mark.parametrize('shown, interval, lines', [(True, 0., 2), (True, 1e9, 0), (False, 0., 0)])
def test_lines_come_where_there_is_no_terminal(capsys, shown, interval, lines):
    with IndexProgress(2, shown, interval) as progress:
        progress.advance('1 stored')
        progress.advance('2 stored')
    assert capsys.readouterr().err.count('of 2 files') == lines


def test_a_terminal_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True)
    with IndexProgress(7) as progress:
        for _ in range(3):
            progress.advance('3 stored')
    shown = re.sub(r'\x1b\[[^a-zA-Z]*[a-zA-Z]', '', capsys.readouterr().err)
    assert '3/7' in shown and '3 stored' in shown


@pytest.mark.parametrize('noted, lost, action', [
    (dict(model='vit_bert_base_drawn', weights='{}/best.pth'), 'best.pth', 'name_checkpoint'),
    (dict(model='{}/folder'), 'folder', 'name_model'),
    (dict(model='open_clip:{}/folder'), 'folder', 'name_model')])
def test_a_model_that_is_gone_is_named_with_its_remedy(noted, lost, action, tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'best.pth').touch()
    note = Provenance(**{key: value.format(tmp_path) for key, value in noted.items()})
    check_noted_model('people', note)
    (tmp_path / lost).rename(tmp_path / 'moved')
    with pytest.raises(MissingFile, match=f'people: its .*{tmp_path}/{lost}, which is') as gone:
        check_noted_model('people', note)
    assert gone.value.remedy.action == action


@pytest.mark.parametrize('note', [
    Provenance(), Provenance(model='hf:owner/name@main'), Provenance(model='owner/name'),
    Provenance(model='vit_bert_base_drawn', weights='https://here.org/best.pth')])
def test_names_are_not_looked_up(note):
    check_noted_model('people', note)


@pytest.mark.parametrize('name', ['config.py', 'config.json', 'config.yaml', 'config'])
def test_a_config_is_never_taken_from_a_note(name, tmp_path, monkeypatch):
    """Also by a name that is relative, or looks like one of ours."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    for model in (name, f'./{name}', str(tmp_path / name)):
        note = Provenance(model=model, weights=str(tmp_path / 'best.pth'))
        with pytest.raises(NotedProgram, match='A config is a program') as refused:
            check_noted_model('people', note)
        assert refused.value.remedy.action == 'name_config'
        assert refused.value.remedy.arguments['config'] == model


@pytest.mark.parametrize('scheme', ['', 'hf:', 'open_clip:', 'onnx:'])
@pytest.mark.parametrize('place', ['home/model', 'home/people/model', 'elsewhere/model'])
def test_a_gallery_moved_with_its_model_finds_it(scheme, place, tmp_path, monkeypatch):
    (tmp_path / 'old/home/people').mkdir(parents=True)
    (tmp_path / 'old' / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    write_provenance('old/home/people', model=f'{scheme}old/{place}')
    (tmp_path / 'old').rename(tmp_path / 'new')
    monkeypatch.chdir('/')
    note = read_provenance(str(tmp_path / 'new/home/people'))
    assert note.model == f'{scheme}{tmp_path}/new/{place}'
    check_noted_model('people', note)


def test_a_gallery_moved_alone_finds_the_model_where_it_was(tmp_path):
    for name in ('people', 'models/one'):
        (tmp_path / name).mkdir(parents=True)
    write_provenance(str(tmp_path / 'people'), model=tmp_path / 'models/one')
    (tmp_path / 'far/off').mkdir(parents=True)
    (tmp_path / 'people').rename(tmp_path / 'far/off/people')
    moved = str(tmp_path / 'far/off/people')
    assert read_provenance(moved).model == str(tmp_path / 'models/one')
    (tmp_path / 'models/one').rmdir()
    with pytest.raises(MissingFile, match='its model was .*/models/one, which is gone'):
        check_noted_model(moved, read_provenance(moved))


def test_another_model_takes_the_place_of_a_config_with_its_checkpoint(tmp_path):
    for name in ('people', 'model'):
        (tmp_path / name).mkdir()
    gallery = str(tmp_path / 'people')
    write_provenance(gallery, model='vit_bert_base_drawn', weights='best.pth')
    assert read_provenance(gallery).weights == 'best.pth'
    write_provenance(gallery, images=tmp_path)
    assert read_provenance(gallery).weights == 'best.pth'
    write_provenance(gallery, model=tmp_path / 'model')
    assert read_provenance(gallery) == Provenance(str(tmp_path), str(tmp_path / 'model'))


@pytest.mark.parametrize('text', ['{"model": "../x", "model_was": 3}', '{"model": 3}', 'null',
                                  pytest.param('[' * 100_000, id='deep')])
def test_a_hostile_place_of_the_model_is_an_error(tmp_path, text):
    (tmp_path / 'origin.json').write_text(text)
    with pytest.raises(ValueError, match='origin.json: broken'):
        read_provenance(str(tmp_path))
