"""Galleries that move, that strangers made, that other users read, and that never came to be."""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_models import shrink

from mmtbps.commands.main import run_command
from mmtbps.search import open_gallery
from mmtbps.search.encoders import torch_encoder

ROOT = Path(__file__).resolve().parents[2]
EVIL = 'open({!r}, "w")\n'
KINDS = ['people', 'people.lance']


@pytest.fixture(scope='module')
def made(micro_set, tmp_path_factory):
    """A folder with crops, a config whose tokenizer is named relative to it, and a checkpoint."""
    home = tmp_path_factory.mktemp('made')
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/vit_bert_base_drawn.py'), micro_set, home)
    for step in cfg.test_dataloader.dataset.pipeline:
        if 'tokenizer' in step:
            shutil.copytree(step.tokenizer, home / 'words')
            step.tokenizer = 'words'
    cfg.dump(home / 'tiny.py')
    shutil.copytree(micro_set / 'imgs/cam_a', home / 'crops')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        model = torch_encoder.TorchEncoder('tiny.py', weights='random', device='cpu').model
    torch.save(dict(state_dict=model.state_dict()), home / 'tiny.pth')
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """A copy of it, to work in."""
    shutil.copytree(made, tmp_path / 'home')
    monkeypatch.chdir(tmp_path / 'home')
    return tmp_path / 'home'


def index(gallery, *words):
    run_command('index', [gallery, 'crops', '--device', 'cpu', '--quiet',
                          *(words or ('--config', 'tiny.py', '--weights', 'tiny.pth'))])


def query(gallery, *words):
    run_command('query', [str(gallery), 'a woman in a red coat', '--device', 'cpu', '--json',
                          *words])


@pytest.mark.parametrize('kind', KINDS)
def test_a_gallery_of_a_config_travels_with_its_model(kind, home, tmp_path, monkeypatch,
                                                      capsys):
    if kind.endswith('.lance'):
        pytest.importorskip('lancedb')
    (home / 'galleries').mkdir()
    index(f'galleries/{kind}')
    query(f'galleries/{kind}')
    answer = capsys.readouterr().out.partition('[')[2]
    shutil.move(home / 'galleries', tmp_path / 'far')
    shutil.rmtree(home)
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path / 'empty')
    query(f'../far/{kind}')
    assert capsys.readouterr().out.partition('[')[2] == answer
    note = json.loads((tmp_path / 'far' / kind / 'origin.json').read_text())
    assert note['model'].startswith(f'../{kind}.model-') and note['weights'] is None
    # Indexing goes on, too, and writes no second folder.
    shutil.copytree(tmp_path / 'far', tmp_path / 'again')
    assert sorted(path.name.partition('.model-')[0] for path in (tmp_path / 'far').iterdir()) == [
        kind, kind]


def test_files_are_for_everyone_whom_the_umask_lets(home):
    before = os.umask(0o022)
    try:
        index('people')
    finally:
        os.umask(before)
    files = [path for folder in home.glob('people*') for path in folder.rglob('*')
             if path.is_file()]
    assert {path.suffix for path in files} >= {'.safetensors', '.json'}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.name != '.lock'} == {0o644}


@pytest.mark.parametrize('model', ['{}/evil.py', 'evil.py', '../evil.py', '{}/evil.json'])
def test_a_gallery_of_a_stranger_runs_no_config(model, home, capsys):
    index('people')
    mark = home / 'hacked'
    (home / 'evil.py').write_text(EVIL.format(str(mark)) + (home / 'tiny.py').read_text())
    (home / 'evil.json').write_text(json.dumps(dict(model=dict(type='os.mkdir', path=str(mark)))))
    (home / 'people/origin.json').write_text(json.dumps(dict(
        images='crops', model=model.format(home), weights=str(home / 'tiny.pth'))))
    for call in (query, index):
        words = ('--quiet', ) if call is index else ()
        with pytest.raises(SystemExit):
            call('people', *words)
        said = capsys.readouterr().err
        assert 'A config is a program' in said and 'add --config' in said
        assert not mark.exists()
    query('people', '--config', 'evil.py', '--weights', 'tiny.pth')
    assert mark.exists()  # named by the user, it is one


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('fault', ['empty', 'broken', 'detector'])
def test_a_failed_index_leaves_no_gallery(kind, fault, home, capsys):
    if kind.endswith('.lance'):
        pytest.importorskip('lancedb')
    (home / 'crops').rename(home / 'right')
    (home / 'crops').mkdir()
    if fault != 'empty':
        (home / 'crops/broken.jpg').write_bytes(b'broken')
    words = ('--detector', './none') if fault == 'detector' else ()
    try:
        index(kind, '--config', 'tiny.py', '--weights', 'tiny.pth', *words)
    except SystemExit as end:
        assert end.code
    capsys.readouterr()
    with pytest.raises(SystemExit):
        query(kind)
    assert 'there is no gallery' in capsys.readouterr().err
    assert not list(home.glob('people*'))
    shutil.rmtree(home / 'crops')
    (home / 'right').rename(home / 'crops')
    (home / 'elsewhere').mkdir()
    index(kind)
    assert open_gallery(kind).count() == len(list((home / 'crops').iterdir()))


def test_a_gallery_emptied_by_hand_takes_another_folder(home, capsys):
    index('people')
    run_command('delete', ['people', '--path', *sorted(os.listdir('crops')), '--yes'])
    (home / 'crops').rename(home / 'others')
    run_command('index', ['people', 'others', '--device', 'cpu', '--quiet'])
    assert f'{len(list((home / "others").iterdir()))} in all' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['my people.lance', 'größe.lance', '人.lance', 'a#b.lance',
                                  'PEOPLE.LANCE', '.lance', 's3://bucket/a b.lance'])
def test_a_name_that_lance_refuses_is_told_before_a_model_is_loaded(name, tmp_path,
                                                                    monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'crops').mkdir()
    with refused('a LanceDB gallery (has a name of letters|ends in .lance)'):
        index(name, '--model', 'hf:nobody/none')
    assert os.listdir(tmp_path) == ['crops']
