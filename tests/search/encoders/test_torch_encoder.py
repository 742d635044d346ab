"""The encoder gives what the config's own test pipeline gives, from a checkpoint or a folder."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from PIL import Image
from tiny_models import TINY_BERT

from mmtbps.registry import DATASETS
from mmtbps.search.encoders.base import Encoder, load_encoder
from mmtbps.search.encoders.torch_encoder import TorchEncoder


@pytest.fixture(scope='module')
def weights(tiny_encoder, tmp_path_factory):
    """A checkpoint as a Runner leaves it."""
    path = tmp_path_factory.mktemp('weights') / 'last.pth'
    torch.save(dict(state_dict=tiny_encoder.model.state_dict(), meta=dict(epoch=1)), path)
    return path


@pytest.fixture(scope='module')
def encoder(tiny_config, weights):
    return TorchEncoder(tiny_config, weights)


def changed_config(config, folder, change):
    """Path of a copy that ``change`` has changed."""
    cfg = Config.fromfile(config)
    change(cfg)
    cfg.dump(folder / 'changed.py')
    return folder / 'changed.py'


@pytest.fixture(scope='module')
def items(tiny_config):
    """The test split as the config reads it."""
    with DefaultScope.overwrite_default_scope('mmtbps'):
        dataset = DATASETS.build(Config.fromfile(tiny_config).test_dataloader.dataset)
    return [dataset[i] for i in range(len(dataset))]


@pytest.fixture(scope='module')
def slow_features(encoder, items):
    """One item at a time through the model, as a test run would."""
    features = []
    for item in items:
        batch = encoder.model.data_preprocessor(pseudo_collate([item]))
        with torch.no_grad():
            features.append(encoder.model(**batch, mode='tensor'))
    return {key: torch.cat([f[key] for f in features]).numpy() for key in features[0]}


def read(item):
    return Image.open(item['data_samples'].img_path)


def test_an_encoder_it_is(encoder):
    assert isinstance(encoder, Encoder) and encoder.dim == 16
    json.dumps(encoder.fingerprint)


def test_images_are_encoded_as_the_data_set_does(encoder, items, slow_features):
    features = encoder.encode_images([read(item) for item in items])
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, slow_features['image_feat'], atol=1e-6)
    assert np.ptp(features, axis=0).max() > 0.1, 'all images look alike: the test sees nothing'


def test_texts_are_encoded_as_the_data_set_does(encoder, items, slow_features):
    texts = [text for item in items for text in item['data_samples'].captions]
    features = encoder.encode_texts(texts)
    np.testing.assert_allclose(features, slow_features['text_feat'], atol=1e-6)
    assert np.ptp(features, axis=0).max() > 0.01


@pytest.mark.parametrize('batch_size', [1, 3, 1000])
def test_batches_of_any_size_give_the_same_features(encoder, tiny_config, weights, batch_size,
                                                    items):
    images = [read(item) for item in items[:7]]
    texts = [item['data_samples'].captions[0] for item in items[:7]]
    other = TorchEncoder(tiny_config, weights, batch_size=batch_size)
    np.testing.assert_allclose(other.encode_images(images), encoder.encode_images(images),
                               atol=1e-6)
    np.testing.assert_allclose(other.encode_texts(texts), encoder.encode_texts(texts), atol=1e-6)


def test_nothing_in_is_nothing_out(encoder):
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, 16)


def test_pictures_of_any_mode_are_read_as_rgb(encoder, items):
    picture = read(items[0]).convert('RGB')
    palette = picture.convert('P')
    grey = picture.convert('L')
    opaque = picture.convert('RGBA')
    features = encoder.encode_images([picture, opaque, palette, palette.convert('RGB'), grey,
                                      Image.merge('RGB', [grey] * 3)])
    for one, other in ((0, 1), (2, 3), (4, 5)):
        assert np.array_equal(features[one], features[other])
    assert not np.allclose(features[0], features[4], atol=1e-3)


def test_a_very_long_query_is_cut_to_the_models_length(encoder):
    words = ['red', 'coat', 'with', 'blue', 'trousers'] * 2000
    features = encoder.encode_texts([' '.join(words), ' '.join(words[:62]), ' '.join(words[:30])])
    assert encoder.prepare_texts([' '.join(words)])[0].shape == (1, 64)
    np.testing.assert_allclose(features[0], features[1], atol=1e-6)  # [CLS] 62 words [SEP]
    assert np.abs(features[0] - features[2]).max() > 1e-3


@pytest.mark.parametrize(('call', 'error', 'message'), [
    (lambda e: e.encode_texts(['a man', '  ']), ValueError, 'empty'),
    (lambda e: e.encode_texts([None]), TypeError, 'string'),
    (lambda e: e.encode_images(['x.jpg']), TypeError, 'PIL image')])
def test_bad_input_is_named(encoder, call, error, message):
    with pytest.raises(error, match=message):
        call(encoder)


# ------------------------------------------------------------------ where models come from
def test_a_built_model_brings_its_own_weights(encoder, tiny_config):
    encoder.model._config = Config.fromfile(tiny_config)
    again = TorchEncoder(encoder.model)
    assert again.model is encoder.model and again.fingerprint == encoder.fingerprint


def test_a_model_without_its_config_is_refused():
    with pytest.raises(ValueError, match='_config'):
        TorchEncoder(torch.nn.Linear(1, 1))


def test_what_has_no_two_towers_is_refused():
    model = torch.nn.Linear(1, 1)
    model._config = Config(dict(model=dict(), test_dataloader=dict(dataset=dict(pipeline=[]))))
    with pytest.raises(ValueError, match='Linear.*encode_image'):
        TorchEncoder(model)


def test_a_config_of_ours_is_found_by_its_name(monkeypatch, tmp_path, micro_set):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/DrawnPEDES').symlink_to(micro_set)
    monkeypatch.chdir(tmp_path)
    encoder = load_encoder('vit_bert_pdg_drawn', weights='random')
    assert encoder.dim == 96 and encoder.steps[1].scale == (24, 64)


@pytest.mark.parametrize(('model', 'message'), [
    ('vit_bert_of_nobody', 'vit_bert_of_nobody'),
    ('nowhere/config.py', 'nowhere/config.py'),
    ('owner/name', r"from_pretrained\('owner/name'\)")])
def test_what_is_not_there_is_named(model, message):
    with pytest.raises(FileNotFoundError, match=message):
        TorchEncoder(model, weights='random')


def test_a_tokenizer_that_is_not_there_is_named(tiny_config, tmp_path):
    config = changed_config(tiny_config, tmp_path, lambda cfg: cfg.test_dataloader.dataset.pipeline[
        2].update(tokenizer=str(tmp_path / 'nowhere/tokenizer')))
    with pytest.raises(FileNotFoundError, match='nowhere/tokenizer'):
        TorchEncoder(config, weights='random')


def test_random_weights_have_to_be_asked_for(tiny_config):
    with pytest.raises(ValueError, match="weights='random'"):
        TorchEncoder(tiny_config)
    assert TorchEncoder(tiny_config, weights='random').encode_texts(['a man']).shape == (1, 16)


def test_weights_of_another_model_are_refused(tiny_config, weights, tmp_path):
    state = torch.load(weights)['state_dict']
    one_less = {key: value for key, value in state.items() if key != 'image_backbone.pos_embed'}
    torch.save(dict(state_dict=one_less), tmp_path / 'less.pth')
    with pytest.raises(ValueError, match='less.pth.*image_backbone.pos_embed'):
        TorchEncoder(tiny_config, tmp_path / 'less.pth')
    torch.save(dict(state_dict=dict(state, stranger=torch.ones(1))), tmp_path / 'more.pth')
    with pytest.raises(ValueError, match='more.pth.*stranger'):
        TorchEncoder(tiny_config, tmp_path / 'more.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        TorchEncoder(tiny_config, tmp_path / 'none.pth')


class Trap:
    def __reduce__(self):
        return Path.touch, (Path('sprung'), )


def test_a_checkpoint_runs_nothing(tiny_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict={}, meta=Trap()), tmp_path / 'trap.pth')
    with pytest.raises(pickle.UnpicklingError, match='trap.pth'):
        TorchEncoder(tiny_config, tmp_path / 'trap.pth')
    assert not Path('sprung').exists()


# ------------------------------------------------------------------ fingerprint
@pytest.mark.parametrize(('key', 'change'), [
    ('model', lambda cfg: cfg.model.text_backbone.update(pooling='mean')),
    ('pipeline', lambda cfg: cfg.test_dataloader.dataset.pipeline[1].update(
        interpolation='nearest')),
    ('pipeline', lambda cfg: cfg.test_dataloader.dataset.pipeline[2].update(max_length=9)),
    ('pipeline', lambda cfg: cfg.model.data_preprocessor.update(to_rgb=False))])
def test_what_changes_features_changes_the_fingerprint(tiny_config, weights, encoder, tmp_path, key,
                                                       change):
    config = changed_config(tiny_config, tmp_path, change)
    changed = TorchEncoder(config, weights).fingerprint
    assert {name for name in changed if changed[name] != encoder.fingerprint[name]} == {key}


def test_every_weight_counts(tiny_config, weights, encoder, tmp_path):
    state = torch.load(weights)['state_dict']
    state['text_backbone.bert.embeddings.word_embeddings.weight'][7, 3] += 1e-3
    torch.save(dict(state_dict=state), tmp_path / 'nudged.pth')
    nudged = TorchEncoder(tiny_config, tmp_path / 'nudged.pth').fingerprint
    assert nudged['model'] != encoder.fingerprint['model']
    assert nudged['pipeline'] == encoder.fingerprint['pipeline']


def test_what_acts_in_training_only_does_not_count(tiny_config, weights, encoder, tmp_path):
    def change(cfg):
        cfg.model.mixup = None
        cfg.optim_wrapper.optimizer.lr = 7.0

    config = changed_config(tiny_config, tmp_path, change)
    assert TorchEncoder(config, weights).fingerprint == encoder.fingerprint


# ------------------------------------------------------------------ folders that travel
@pytest.fixture(scope='module')
def saved(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp('saved') / 'model'
    encoder.save_pretrained(folder)
    return folder


def test_a_saved_folder_gives_bit_equal_features(encoder, saved, items, monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    monkeypatch.chdir(saved)
    images, texts = [read(items[0])], ['A man in a red coat.', 'a woman']
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


def test_a_pretrained_text_model_is_replaced_by_its_sizes(tiny_config, tmp_path):
    """Whoever gets the folder does not have the one that training started from."""
    from transformers import BertConfig, BertModel
    start = tmp_path / 'bert'
    BertModel(BertConfig(**dict(TINY_BERT, vocab_size=2048))).save_pretrained(start)
    config = changed_config(tiny_config, tmp_path, lambda cfg: cfg.model.text_backbone.update(
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
