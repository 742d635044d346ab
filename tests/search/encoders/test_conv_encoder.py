"""A model of convolutional towers behind the search: heat-maps, and graphs without torch."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from text_towers import spread
from tiny_models import shrink

from mmtbps.errors import BadValue
from mmtbps.search.encoders.explain import CannotExplain, rollout_map, word_heat_map
from mmtbps.search.encoders.onnx_export import export_encoder, random_captions, random_images
from mmtbps.search.encoders.torch_encoder import TorchEncoder

CONFIGS = Path(__file__).resolve().parents[3] / 'configs/tbps'
TEXT = 'A man in a red coat.'


@pytest.fixture
def encoder(request, micro_set, tmp_path):
    """Random weights that spread features."""
    config = CONFIGS / f'{getattr(request, "param", "conv_base_drawn")}.py'
    encoder = TorchEncoder(shrink(Config.fromfile(config), micro_set, tmp_path), weights='random',
                           device='cpu')
    spread(encoder.model)
    return encoder


def unit(vectors):
    return vectors / vectors.norm(dim=-1, keepdim=True)


@torch.no_grad()
def test_heat_is_the_cosine_of_a_word_and_what_a_place_gives(encoder):
    """Against rows of the last linear layer, and captions of one state."""
    image, (vision, text) = random_images(1)[0], (
        encoder.model.image_backbone, encoder.model.text_backbone)
    found = word_heat_map(encoder, image, TEXT)
    assert found.grid == (8, 4) and found.words == TEXT[:-1].split()
    pixels = encoder.prepare_images([image])
    states, empty = (vision.run(vision.embed(each)).hidden[0]
                     for each in (pixels, torch.zeros_like(pixels)))
    states = states - empty
    places = torch.zeros(8, 4, 8, 32)
    for row in range(8):
        places[row, :, row] = states.view(8, 4, 32)[row]
    places = unit(places.flatten(2) @ vision.proj.weight.T)
    words = text.run(text.embed(*encoder.prepare_texts([TEXT]))).hidden[0]
    words = unit(torch.cat([words, words], 1) @ text.proj.weight.T)
    words = unit(words[1:7] - (words[0] + words[-1]) / 2)  # [CLS] a man in a red coat . [SEP]
    expected = torch.einsum('wd,rcd->wrc', words, places)
    assert expected.std() > 0.05
    np.testing.assert_allclose(found.heat, expected, atol=1e-5)


def test_there_is_no_attention_to_roll_out(encoder):
    with pytest.raises(CannotExplain, match='image_backbone ConvVisionTower'):
        rollout_map(encoder, random_images(1)[0])


def test_a_model_folder_gives_the_same_features_and_no_endless_layers(encoder, tmp_path):
    encoder.save_pretrained(tmp_path / 'saved')
    ours, images = TorchEncoder.from_pretrained(tmp_path / 'saved', device='cpu'), random_images(3)
    np.testing.assert_array_equal(ours.encode_images(images), encoder.encode_images(images))
    np.testing.assert_array_equal(ours.encode_texts([TEXT]), encoder.encode_texts([TEXT]))
    file = tmp_path / 'saved/config.json'
    settings = json.loads(file.read_text('utf-8'))
    for side, key, value in (('image', 'depths', [1, 10**9]), ('image', 'bands', [1, 10**9]),
                             ('image', 'expansion', 10**9),
                             ('text', 'kernel_size', 10**9), ('text', 'depth', 10**9)):
        changed = copy.deepcopy(settings)
        changed['retriever'][f'{side}_backbone'][key] = value
        file.write_text(json.dumps(changed), 'utf-8')
        with pytest.raises(BadValue, match=f'config.json: {key} must be a whole number from 1 to'):
            TorchEncoder.from_pretrained(tmp_path / 'saved', device='cpu')


@pytest.mark.parametrize('encoder', ['conv_base_drawn', 'conv_large_drawn'], indirect=True)
def test_graphs_give_the_features_of_torch(encoder, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    from mmtbps.search.encoders.onnx_encoder import OnnxEncoder
    manifest = export_encoder(encoder, tmp_path / 'model', int8=True)
    assert min(manifest['check']['int8'].values()) > 0.995
    ours, images = OnnxEncoder(tmp_path / 'model', 'fp32'), random_images(5, seed=1)
    captions = random_captions(tmp_path / 'model/tokenizer.json', 5)
    np.testing.assert_allclose(ours.encode_images(images), encoder.encode_images(images), atol=2e-6)
    np.testing.assert_allclose(ours.encode_texts(captions), encoder.encode_texts(captions),
                               atol=2e-6)
