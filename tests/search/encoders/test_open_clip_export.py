"""Export of models of open_clip, against the library; and tokenizers that cannot be repeated."""

from types import SimpleNamespace

import numpy as np
import pytest
from pretrained_models import SENTENCES, _sentence

from mmtbps.errors import BadValue
from mmtbps.lexicon.caption_cleaning import clean_canonicalize, clean_whitespace
from mmtbps.search import load_encoder
from mmtbps.search.encoders import export_encoder
from mmtbps.search.encoders.onnx_export import random_images
from mmtbps.search.encoders.open_clip_export import _plan_image, _plan_text, find_cleaning_like

pytest_plugins = 'open_clip_fixtures'  # `config`, `folder` and `save_open_clip`
TEXTS = [*SENTENCES, ' '.join(SENTENCES * 9), 'A  MAN_in red &amp; “blue”!']


def compare(folder, out, options):
    """The exported features against those of torch, which are the library's own."""
    encoder = load_encoder(f'open_clip:{folder}', device='cpu', **options)
    manifest = export_encoder(encoder, out, int8=True)
    assert min(manifest['check']['fp32'].values()) > .99999
    assert min(manifest['check']['int8'].values()) > .995
    exported, images = type(load_encoder(out))(out, 'fp32'), random_images(4, seed=1)
    features = encoder.encode_images(images), encoder.encode_texts(TEXTS)
    np.testing.assert_allclose(exported.encode_images(images), features[0], atol=1e-5)
    np.testing.assert_allclose(exported.encode_texts(TEXTS), features[1], atol=1e-5)
    assert min(np.abs(part - part[::-1]).max() for part in features) > .05
    assert exported.fingerprint == encoder.fingerprint
    return manifest


def test_an_exported_model_gives_the_features_of_open_clip(folder, tmp_path):
    pytest.importorskip('onnxscript')
    manifest = compare(folder, tmp_path / 'out', dict(prompts=['a photo of {}', '{}']))
    assert manifest['image']['letterbox'] == [102, 128, 153]
    assert manifest['text']['clean'] == 'clip' and manifest['text']['min_length'] == 16


def test_a_tokenizer_of_transformers_inside_is_repeated(save_open_clip, config, tmp_path):
    """As the SigLIP models of open_clip have it: punctuation goes, the last place is read."""
    pytest.importorskip('onnxscript')
    words = _sentence('siglip')
    words.save_pretrained(tmp_path)
    config['preprocess_cfg'].update(resize_mode='squash', interpolation='bilinear')
    config['model_cfg']['text_cfg'].update(
        vocab_size=len(words), hf_tokenizer_name='of the folder', no_causal_mask=True,
        pool_type='last', tokenizer_kwargs=dict(clean='canonicalize'))
    manifest = compare(save_open_clip(config), tmp_path / 'out', dict(aspect='processor'))
    assert manifest['image'] == dict(size=[32, 32], channels='rgb', resize='bilinear')
    assert manifest['text']['clean'] == 'canonicalize' and manifest['text']['pad_token_id'] == 0


def network(**parts):
    """Stands in for a model of open_clip, of which plans read the settings."""
    return SimpleNamespace(**dict(
        name='open_clip:some', max_tokens=16, prompts=['{}'], image_size=(32, 32),
        mean=(.5, .5, .5), aspect='letterbox', settings=dict(resize_mode='shortest'),
        tokenizer=SimpleNamespace(clean_fn=clean_whitespace)), **parts)


@pytest.mark.parametrize('tokenizer, reason', [
    (SimpleNamespace(clean_fn=str.swapcase), 'a way of its own'),
    (SimpleNamespace(clean_fn=clean_whitespace, reduction_fn=print), 'reduction_fn'),
    (SimpleNamespace(tokenizer=SimpleNamespace(is_fast=True), strip_sep_token=True), 'strip_sep'),
    (SimpleNamespace(tokenizer=SimpleNamespace(is_fast=False)), 'written in Python')])
def test_a_tokenizer_that_cannot_be_repeated_is_refused(tokenizer, reason):
    model = network()
    model.tokenizer = tokenizer
    with pytest.raises(BadValue, match=f'open_clip:some cannot be exported: .*{reason}'):
        _plan_text(model)


def test_the_way_to_pixels_follows_transform_and_aspect():
    model = network()
    assert _plan_image(model) == dict(size=[32, 32], channels='rgb', resize='bicubic',
                                      letterbox=[128, 128, 128])
    model.settings = dict(interpolation='bilinear', resize_mode='shortest')
    assert _plan_image(model)['resize'] == 'bilinear'
    model.aspect = 'stretch'
    assert _plan_image(model) == dict(size=[32, 32], channels='rgb', resize='bicubic')
    model.aspect = 'processor'
    with pytest.raises(BadValue, match='cuts pictures by their shape'):
        _plan_image(model)


def test_a_cleaning_is_known_by_what_it_does():
    assert find_cleaning_like(lambda text: clean_canonicalize(text)) == 'canonicalize'
    assert find_cleaning_like(clean_whitespace) == 'whitespace'
    assert find_cleaning_like(str.upper) is None
    text, tokenizer = _plan_text(network())
    assert text == dict(max_length=16, min_length=16, clean='whitespace', prompts=['{}'],
                        pad_token_id=0, literal_special_tokens=True)
    assert '"<|startoftext|>"' in tokenizer
