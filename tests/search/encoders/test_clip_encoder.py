"""Encoders with towers of CLIP and SigLIP: saved, explained, exported."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clip_reference import spread_
from mmengine.config import Config
from PIL import Image
from tiny_models import shrink

from mmtbps.search.encoders.explain import attention_rollout, rollout_map, word_heat_map
from mmtbps.search.encoders.torch_encoder import TorchEncoder

CONFIG = Path(__file__).resolve().parents[3] / 'configs/tbps/vit_bert_base_drawn.py'
TEXT = 'A man in a red coat, blue T-shirt and green shoes.'
TOWERS = dict(
    clip=(dict(type='CLIPVisionTower'), dict(type='CLIPTextTower', vocab_size=2048), 0),
    siglip=(dict(type='SigLIPVisionTower'), dict(type='SigLIPTextTower'), 64))
towers = pytest.mark.parametrize('make', TOWERS)


@pytest.fixture
def build(micro_set, tmp_path):
    """A function that builds an encoder whose weights spread features, of tiny towers."""
    def build(make):
        cfg = Config.fromfile(CONFIG)
        cfg.model.image_backbone, cfg.model.text_backbone, min_length = TOWERS[make]
        cfg.model.image_neck = cfg.model.text_neck = dict(type='ProjectionNeck', out_dims=12)
        cfg.model.data_preprocessor.min_length = min_length
        encoder = TorchEncoder(shrink(cfg, micro_set, tmp_path), weights='random', device='cpu')
        spread_(encoder.model)
        return encoder
    return build


def random_image(size=(40, 90), seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8))


@towers
def test_a_saved_model_has_the_same_features_and_fingerprint(make, build, tmp_path):
    encoder = build(make)
    encoder.save_pretrained(tmp_path / 'saved')
    other = TorchEncoder.from_pretrained(str(tmp_path / 'saved'), device='cpu')
    assert other.fingerprint == encoder.fingerprint
    for encode, inputs in (('encode_texts', [TEXT, 'a man']), ('encode_images', [random_image()])):
        expected = getattr(encoder, encode)(inputs)
        np.testing.assert_array_equal(getattr(other, encode)(inputs), expected)
        assert np.abs(expected[0] - expected[-1]).max() > 0.01 or len(inputs) == 1


@torch.no_grad()
@towers
def test_a_word_and_a_patch_have_the_feature_of_being_read_alone(make, build):
    """Against the parts that read, given one token after the other."""
    encoder = build(make)
    found, model = word_heat_map(encoder, random_image(), TEXT), encoder.model
    image, text = model.image_backbone, model.text_backbone
    assert found.heat.shape == (len(found.words), *image.grid) and len(found.words) == 11
    tokens = image.run(image.embed(encoder.prepare_images([random_image()])), 0, 1)
    patches = unit(model.image_neck.project(image.single_token_features(tokens)[0]))
    tokens = text.run(text.embed(*encoder.prepare_texts([TEXT])), 0, 1)
    words = unit(model.text_neck.project(text.single_token_features(tokens)[0]))
    # [CLS] a man in a red coat , blue t - shirt and green shoes . [SEP]
    red = unit(words[5] - (words[0] + words[16]) / 2) @ patches[-len(found.heat[0].ravel()):].T
    np.testing.assert_allclose(found.heat[4].ravel(), red, atol=1e-5)
    sentence = encoder.encode_texts([TEXT])[0] @ patches[-len(found.total.ravel()):].numpy().T
    np.testing.assert_allclose(found.total.ravel(), sentence, atol=1e-5)


def unit(vectors):
    return F.normalize(vectors, dim=-1)


@torch.no_grad()
@towers
def test_roll_out_ends_at_what_the_tower_reads(make, build):
    """CLIP reads its class token, SigLIP's head all patches; against products of matrices."""
    encoder = build(make)
    tower = encoder.model.image_backbone
    images = encoder.prepare_images([random_image()])
    tokens, product = tower.embed(images), 1
    for layer in range(tower.depth):
        weights = tower.attention(tokens, layer)[0].mean(0)
        product = (weights + torch.eye(len(weights))) / 2 @ (
            product if layer else torch.eye(len(weights)))
        tokens = tower.run(tokens, layer, layer + 1)
    if make == 'clip':
        shares = product[0, 1:]
    else:
        head, states = tower.siglip.head, tower.siglip.post_layernorm(tokens.hidden)
        weights = head.attention(head.probe, states, states)[1][0, 0]
        assert weights.std() > 1e-3, 'the head should not read all patches alike'
        shares = weights @ product
    found = rollout_map(encoder, random_image())
    assert found.shape == tower.grid
    np.testing.assert_allclose(found.ravel(), shares, atol=1e-6)


def test_roll_out_to_shares_is_the_mean_of_roll_outs_to_tokens():
    torch.manual_seed(0)
    attentions = [torch.rand(2, 4, 4) for _ in range(3)]
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4])
    expected = sum(share * attention_rollout(attentions, token)
                   for token, share in enumerate(shares))
    torch.testing.assert_close(attention_rollout(attentions, shares), expected)


@pytest.mark.slow
@towers
def test_an_export_has_the_same_features(make, build, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    from mmtbps.search.encoders.onnx_encoder import OnnxEncoder
    from mmtbps.search.encoders.onnx_export import export_encoder, random_images
    encoder = build(make)
    manifest = export_encoder(encoder, tmp_path / 'model', captions=[TEXT, 'a man'])
    assert min(manifest['check']['fp32'].values()) > 0.99999
    assert manifest['text']['min_length'] == TOWERS[make][2]
    exported, texts = OnnxEncoder(tmp_path / 'model', batch_size=3), ['a man', TEXT, 'red', 'b c']
    images = random_images(4, seed=1)
    np.testing.assert_allclose(exported.encode_texts(texts), encoder.encode_texts(texts), atol=5e-6)
    np.testing.assert_allclose(exported.encode_images(images), encoder.encode_images(images),
                               atol=5e-6)
    manifest['text'].pop('min_length')  # as exports were written before
    exported.manifest['text'].pop('min_length')
    if make == 'clip':
        np.testing.assert_allclose(exported.encode_texts(texts), encoder.encode_texts(texts),
                                   atol=5e-6)
