"""Encoders of models with prefixes, adapters and mixtures: saved, explained, exported."""

from pathlib import Path

import numpy as np
import pytest
import torch
from clip_reference import spread_
from mmengine.config import Config
from peft_towers import PARTS, stir_parts_
from PIL import Image
from safetensors.torch import load_file
from tiny_models import shrink

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS
from mmtbps.search.encoders.explain import rollout_map, word_heat_map
from mmtbps.search.encoders.hub_folders import export_hub_folder
from mmtbps.search.encoders.saved_model import find_model_source
from mmtbps.search.encoders.torch_encoder import TorchEncoder

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
TEXTS = ['A man in a red coat, blue T-shirt and green shoes.', 'a woman']


@pytest.fixture
def build(micro_set, tmp_path):
    """A function that builds an encoder of CLIP towers with parts, as they are trained."""
    def build(**peft):
        cfg = Config.fromfile(CONFIGS / 'up_person/up_person_drawn.py')
        cfg = shrink(cfg, micro_set, tmp_path)
        cfg.model.peft = peft
        model = stir_parts_(spread_(MODELS.build(cfg.model)))
        model._config = cfg
        return TorchEncoder(model.eval(), device='cpu')
    return build


def images():
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 256, (90, 40, 3), dtype=np.uint8))
            for _ in range(3)]


def test_a_saved_model_merges_what_it_can(build, tmp_path):
    encoder = build(**PARTS)
    encoder.save_pretrained(tmp_path / 'saved')
    again = TorchEncoder.from_pretrained(str(tmp_path / 'saved'), device='cpu')
    assert again.fingerprint == encoder.fingerprint
    for encode, inputs in (('encode_images', images()), ('encode_texts', TEXTS)):
        expected = getattr(encoder, encode)(inputs)
        np.testing.assert_allclose(getattr(again, encode)(inputs), expected, atol=1e-6)
        assert np.ptp(expected, axis=0).max() > 0.01
    names = load_file(tmp_path / 'saved/model.safetensors').keys()
    assert not [name for name in names if 'lora' in name]
    assert [name for name in names if '.prefix.' in name]
    settings = find_model_source(tmp_path / 'saved').model
    assert set(settings['peft']) == {'prefix', 'adapter', 'mixture'}


def test_a_strangers_folder_of_endless_parts_is_refused(build, tmp_path):
    build(prefix=dict(length=2)).save_pretrained(tmp_path / 'saved')
    file = tmp_path / 'saved/config.json'
    file.write_text(file.read_text('utf-8').replace('"length": 2', '"length": 1000000000'), 'utf-8')
    with pytest.raises(BadValue, match='config.json: length must be a whole number from 1 to'):
        TorchEncoder.from_pretrained(str(tmp_path / 'saved'))


@torch.no_grad()
def test_heat_maps_are_of_the_whole_model(build):
    encoder = build(**PARTS)
    found, model = word_heat_map(encoder, images()[0], TEXTS[0]), encoder.model
    tower = model.image_backbone
    tokens = tower.run(tower.embed(encoder.prepare_images(images()[:1])), 0, tower.depth - 1)
    patches = model.image_neck.project(tower.single_token_features(tokens)[0])
    patches = torch.nn.functional.normalize(patches, dim=-1)[-tower.grid[0] * tower.grid[1]:]
    expected = encoder.encode_texts(TEXTS[:1])[0] @ patches.numpy().T
    np.testing.assert_allclose(found.total.ravel(), expected, atol=1e-5)
    assert found.heat.shape == (len(found.words), *tower.grid) and found.total.std() > 1e-3
    shares = rollout_map(encoder, images()[0])
    assert shares.shape == tower.grid and 0 < shares.sum() < 1


@pytest.mark.parametrize('form', ['transformers', 'sentence-transformers', 'transformers.js'])
def test_formats_without_a_place_for_parts_are_refused(form, build, tmp_path):
    with pytest.raises(BadValue, match='no class for this model: it has prefixes of keys and '
                                       'values, which CLIP and SigLIP have no place for; a model '
                                       'folder and ONNX hold them'):
        export_hub_folder(build(prefix=dict(length=2)), tmp_path / 'out', form)
    assert not (tmp_path / 'out').exists()


@pytest.mark.slow
@pytest.mark.parametrize('names', [('prefix', 'kv_lora', 'adapter'), ('mixture', )], ids=len)
def test_an_export_has_the_same_features(names, build, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    from mmtbps.search.encoders.onnx_encoder import OnnxEncoder
    from mmtbps.search.encoders.onnx_export import export_encoder
    encoder = build(**{name: PARTS[name] for name in names})
    encoder.save_pretrained(tmp_path / 'saved')
    encoder = TorchEncoder.from_pretrained(str(tmp_path / 'saved'), device='cpu')
    manifest = export_encoder(encoder, tmp_path / 'model', captions=TEXTS)
    assert min(manifest['check']['fp32'].values()) > 0.99999
    exported = OnnxEncoder(tmp_path / 'model', batch_size=3)
    np.testing.assert_allclose(exported.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=5e-6)
    np.testing.assert_allclose(exported.encode_images(images()), encoder.encode_images(images()),
                               atol=5e-6)
