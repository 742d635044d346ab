"""The encoder gives what the config's own test pipeline gives, from a checkpoint or a folder."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmtbps.errors import UserError
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.encoders.loading import load_encoder
from mmtbps.search.encoders.torch_encoder import TorchEncoder


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
    (lambda e: e.encode_texts(['caf\udce9']), ValueError, 'no valid Unicode'),
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
    ('owner/name', 'hf:owner/name')])
def test_what_is_not_there_is_named(model, message):
    with pytest.raises(FileNotFoundError, match=message):
        TorchEncoder(model, weights='random')


def test_a_tokenizer_that_is_not_there_is_named(changed_config, tmp_path):
    config = changed_config(lambda cfg: cfg.test_dataloader.dataset.pipeline[
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
    with pytest.raises(pickle.UnpicklingError, match='trap.pth') as caught:
        TorchEncoder(tiny_config, tmp_path / 'trap.pth')
    assert isinstance(caught.value, UserError)
    assert not Path('sprung').exists()


@pytest.mark.parametrize('size', [0, 10, 1000, -30])
def test_a_checkpoint_that_is_cut_short_is_named(tiny_config, weights, tmp_path, size):
    (tmp_path / 'cut.pth').write_bytes(weights.read_bytes()[:size])
    with pytest.raises(UserError, match='cut.pth: (empty or )?cut short'):
        TorchEncoder(tiny_config, tmp_path / 'cut.pth')


@pytest.mark.parametrize('content', [[1, 2], dict(state_dict=3)])
def test_a_checkpoint_without_weights_is_named(tiny_config, tmp_path, content):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(UserError, match='other.pth: no checkpoint, but'):
        TorchEncoder(tiny_config, tmp_path / 'other.pth')


def test_a_checkpoint_that_cannot_be_fetched_is_named(tiny_config, monkeypatch):
    def refuse(*_, **__):
        raise OSError('no network')

    monkeypatch.setattr('mmengine.runner.checkpoint.load_url', refuse)
    with pytest.raises(UserError, match=r'http://127.0.0.1:9/x.pth: cannot be read \(no network'):
        TorchEncoder(tiny_config, 'http://127.0.0.1:9/x.pth')


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', 'cpu:x'])
def test_a_device_that_cannot_be_used_is_named(tiny_config, weights, device):
    with pytest.raises(UserError, match=f"device '{device}' cannot be used"):
        TorchEncoder(tiny_config, weights, device=device)


def test_an_unregistered_type_of_a_config_is_named(changed_config):
    config = changed_config(lambda cfg: cfg.model.update(type='Nobody'))
    with pytest.raises(UserError, match='changed.py: no model can be built.*Nobody'):
        TorchEncoder(config, weights='random')


# ------------------------------------------------------------------ fingerprint
@pytest.mark.parametrize(('key', 'change'), [
    ('model', lambda cfg: cfg.model.text_backbone.update(pooling='mean')),
    ('pipeline', lambda cfg: cfg.test_dataloader.dataset.pipeline[1].update(
        interpolation='nearest')),
    ('pipeline', lambda cfg: cfg.test_dataloader.dataset.pipeline[2].update(max_length=9)),
    ('pipeline', lambda cfg: cfg.model.data_preprocessor.update(to_rgb=False))])
def test_what_changes_features_changes_the_fingerprint(changed_config, weights, encoder, key,
                                                       change):
    config = changed_config(change)
    changed = TorchEncoder(config, weights).fingerprint
    assert {name for name in changed if changed[name] != encoder.fingerprint[name]} == {key}


def test_every_weight_counts(tiny_config, weights, encoder, tmp_path):
    state = torch.load(weights)['state_dict']
    state[next(key for key in state if key.endswith('word_embeddings.weight'))][7, 3] += 1e-3
    torch.save(dict(state_dict=state), tmp_path / 'nudged.pth')
    nudged = TorchEncoder(tiny_config, tmp_path / 'nudged.pth').fingerprint
    assert nudged['model'] != encoder.fingerprint['model']
    assert nudged['pipeline'] == encoder.fingerprint['pipeline']


def test_what_acts_in_training_only_does_not_count(changed_config, weights, encoder):
    def change(cfg):
        cfg.model.mixup = None
        cfg.optim_wrapper.optimizer.lr = 7.0
        cfg.model.image_backbone.update(with_cp=True, drop_path_rate=.1)
        cfg.model.text_backbone.with_cp = True
        cfg.model.text_backbone.config.hidden_dropout_prob = .2
        cfg.model.data_preprocessor.batch_augments = [dict(type='BatchRandomFlip')]
        cfg.model.image_neck = dict(type='ProjectionNeck')  # as where none is named

    config = changed_config(change)
    assert TorchEncoder(config, weights).fingerprint == encoder.fingerprint
