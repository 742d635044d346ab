"""Saved models: folders that travel, and that a stranger or a bad disk may have changed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import TINY_BERT

from mmtbps.errors import UserError
from mmtbps.search.encoders.loading import load_encoder
from mmtbps.search.encoders.saved_model import ModelSource, portable_pipeline
from mmtbps.search.encoders.torch_encoder import TorchEncoder


@pytest.fixture(scope='module')
def saved(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp('saved') / 'model'
    encoder.save_pretrained(folder)
    return folder


def test_a_saved_folder_gives_bit_equal_features(encoder, saved, items, monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    monkeypatch.chdir(saved)
    images = [Image.open(items[0]['data_samples'].img_path)]
    texts = ['A man in a red coat.', 'a woman']
    for again in (TorchEncoder(saved), TorchEncoder.from_pretrained(saved), load_encoder('.')):
        assert np.array_equal(again.encode_images(images), encoder.encode_images(images))
        assert np.array_equal(again.encode_texts(texts), encoder.encode_texts(texts))
        assert again.fingerprint == encoder.fingerprint
        assert not again.model.training


def test_a_saved_folder_holds_no_pickles_and_no_paths(saved, tiny_config):
    names = {path.relative_to(saved).as_posix() for path in saved.rglob('*') if path.is_file()}
    assert names == {'README.md', 'config.json', 'model.safetensors', 'tokenizer/tokenizer.json',
                     'tokenizer/tokenizer_config.json'}
    assert str(tiny_config.parent.parent) not in (saved / 'config.json').read_text()
    assert 'from_pretrained' in (saved / 'README.md').read_text()


def test_a_saved_folder_can_be_saved_again(saved, tmp_path):
    TorchEncoder(saved).save_pretrained(tmp_path / 'copy')
    assert (tmp_path / 'copy/config.json').read_text() == (saved / 'config.json').read_text()
    assert ((tmp_path / 'copy/model.safetensors').read_bytes()
            == (saved / 'model.safetensors').read_bytes())


def test_a_pretrained_text_model_is_replaced_by_its_sizes(changed_config, tmp_path):
    """Whoever gets the folder does not have the one that training started from."""
    from transformers import BertConfig, BertModel
    start = tmp_path / 'bert'
    BertModel(BertConfig(**dict(TINY_BERT, vocab_size=2048))).save_pretrained(start)
    config = changed_config(lambda cfg: cfg.model.text_backbone.update(
        model=str(start), config=None))
    encoder = TorchEncoder(config, weights='random')
    encoder.save_pretrained(tmp_path / 'model')
    start.rename(tmp_path / 'gone')
    again = TorchEncoder(tmp_path / 'model')
    assert np.array_equal(again.encode_texts(['a man']), encoder.encode_texts(['a man']))
    assert again.fingerprint == encoder.fingerprint


def tampered(saved, folder, change):
    folder.mkdir()
    for path in saved.rglob('*'):
        if path.is_file():
            (folder / path.relative_to(saved)).parent.mkdir(exist_ok=True)
            (folder / path.relative_to(saved)).write_bytes(path.read_bytes())
    settings = json.loads((folder / 'config.json').read_text())
    change(settings)
    (folder / 'config.json').write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize('kind', [
    'os.system', 'mmengine.load', 'mmengine.fileio.load', 'pathlib.Path.touch', 'Nobody', 7])
@pytest.mark.parametrize('place', [
    lambda settings: settings['retriever'],
    lambda settings: settings['retriever']['image_backbone'],
    lambda settings: settings['test_pipeline'][0]])
def test_a_strangers_folder_names_registered_classes_only(saved, tmp_path, kind, place):
    folder = tampered(saved, tmp_path / 'model',
                      lambda settings: place(settings).update(type=kind))
    with pytest.raises(ValueError, match='config.json.*no registered class'):
        TorchEncoder.from_pretrained(folder)


@pytest.mark.parametrize('change', [
    lambda settings: settings['retriever']['text_backbone'].update(model='owner/bert'),
    lambda settings: settings['retriever']['image_backbone'].update(
        init_cfg=dict(type='Pretrained', checkpoint='https://example.org/weights.pth'))])
def test_a_strangers_folder_fetches_nothing(saved, tmp_path, change):
    with pytest.raises(ValueError, match='config.json.*(leads out|no registered class)'):
        TorchEncoder(tampered(saved, tmp_path / 'model', change))


@pytest.mark.parametrize('change', [
    lambda settings: settings.pop('retriever'), lambda settings: settings.update(format=3),
    lambda settings: settings.update(weights='stranger.pth')])
def test_another_config_json_is_refused(saved, tmp_path, change):
    with pytest.raises(ValueError, match='config.json'):
        TorchEncoder(tampered(saved, tmp_path / 'model', change))


@pytest.mark.parametrize('change, part', [
    (lambda settings: settings['retriever'].update(bogus=1), 'model'),
    (lambda settings: settings.update(retriever={}), 'model'),
    (lambda settings: settings.update(retriever=3), 'model'),
    (lambda settings: settings['test_pipeline'][1].update(bogus=1), 'test pipeline')])
def test_settings_that_build_nothing_are_named(saved, tmp_path, change, part):
    with pytest.raises(UserError, match=f'model: no {part} can be built from its settings'):
        TorchEncoder(tampered(saved, tmp_path / 'model', change))


@pytest.mark.parametrize('name, error', [
    ('config.json', UserError), ('model.safetensors', UserError),
    ('tokenizer/tokenizer.json', ValueError)])
@pytest.mark.parametrize('damage', [
    Path.unlink, lambda path: path.write_bytes(b''), lambda path: path.write_bytes(b'\xff\0' * 99),
    lambda path: path.write_bytes(path.read_bytes()[:-9])], ids=['gone', 'empty', 'noise', 'cut'])
def test_a_damaged_saved_model_is_named(saved, tmp_path, name, error, damage):
    folder = tampered(saved, tmp_path / 'model', lambda settings: None)
    damage(folder / name)
    with pytest.raises(error, match=str(folder)):
        TorchEncoder(folder)


def test_a_saved_model_is_whole_once_it_has_its_config(encoder, tmp_path, monkeypatch):
    """Killed while writing, or on a full disk, the weights before: no folder that looks whole."""
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmtbps.search.encoders.saved_model.save_file', full)
    with pytest.raises(UserError, match='the disk is full'):
        encoder.save_pretrained(tmp_path / 'model')
    assert not [path.name for path in (tmp_path / 'model').glob('*.*')]


def test_of_a_model_on_the_hub_only_its_own_files_are_fetched(saved, encoder, monkeypatch):
    asked = []

    def fetch(name, **options):
        asked.append((name, options['revision'], options['allow_patterns']))
        return str(saved)

    monkeypatch.setattr('huggingface_hub.hub_mixin.hf_hub_download',
                        lambda **_: str(saved / 'config.json'))
    monkeypatch.setattr('mmtbps.search.encoders.torch_encoder.snapshot_download', fetch)
    again = TorchEncoder.from_pretrained('owner/name', revision='v1', batch_size=2, device='cpu')
    assert again.fingerprint == encoder.fingerprint and again.batch_size == 2
    (name, revision, patterns), = asked
    assert (name, revision) == ('owner/name', 'v1')
    wanted = [path for path in saved.rglob('*') if any(path.match(one) for one in patterns)]
    assert {path.name for path in wanted} == {
        'config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'}
    assert not any(Path(name).match(one) for one in patterns
                   for name in ('pytorch_model.bin', 'model.pkl', 'modeling.py'))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='config.json is missing'):
        TorchEncoder(tmp_path)


@pytest.mark.parametrize('name', [
    'LoadImageFromFile', 'mmcv.transforms.LoadImageFromFile',
    'mmtbps.datasets.transforms.LoadImageFromFile'])
def test_the_loader_does_not_tell_models_apart(name):
    """Galleries were made before searching and training had one loader."""
    source = ModelSource('x', {}, [dict(type=name), dict(type='PackTextImage')])
    assert portable_pipeline(source) == [dict(type='LoadImageFromFile'),
                                         dict(type='mmtbps.PackTextImage')]
