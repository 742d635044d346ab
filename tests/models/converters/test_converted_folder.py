"""A converted folder in the hands of others: exports and heat-maps see the cleaned caption."""

import numpy as np
import pytest
import torch
from published_checkpoints import clip_state

from mmtbps.search.encoders import OnnxEncoder, export_encoder, word_heat_map

ODD = ['A “RED”  coat &amp; a caf\u00e9 bag', 'ﬁne SHOES', 'a red coat']


@pytest.fixture
def encoder(convert, open_folder, tmp_path):
    torch.save(dict(model=clip_state(25, 'base_model.visual.', 'base_model.')),
               tmp_path / 'best.pth')
    convert('irra', tmp_path / 'best.pth', tmp_path / 'person', '--image-size', '128x48')
    return open_folder(tmp_path / 'person')


def test_an_export_cleans_captions_as_the_model_does(encoder, crops, tmp_path):
    pytest.importorskip('onnxscript')
    export_encoder(encoder, tmp_path / 'exported')
    exported = OnnxEncoder(tmp_path / 'exported')
    texts = encoder.encode_texts(ODD)
    np.testing.assert_allclose(exported.encode_texts(ODD), texts, atol=1e-5)
    np.testing.assert_allclose(exported.encode_images(crops), encoder.encode_images(crops),
                               atol=1e-5)
    exported._clean = str
    assert np.abs(exported.encode_texts(ODD) - texts)[:2].max(1).min() > 0.01


def test_a_long_caption_is_named_with_what_is_read(encoder):
    long = 'A  man, ' * 40
    [(text, read)] = encoder.cut(['a man', ' '.join(['woman'] * 75), long])
    assert text == ('a man, ' * 40).strip() and read == ('a man, ' * 25).strip()
    np.testing.assert_allclose(encoder.encode_texts([read]), encoder.encode_texts([long]),
                               atol=1e-6)


def test_a_heat_map_names_the_words_of_the_cleaned_caption(encoder, crops):
    maps = word_heat_map(encoder, crops[0], ODD[0])
    assert maps.words == ['a', 'red', 'coat', 'a', 'café', 'bag']
    plain = word_heat_map(encoder, crops[0], 'a "red" coat & a café bag')
    np.testing.assert_array_equal(maps.heat, plain.heat)


def test_the_card_names_where_the_weights_are_from(encoder, tmp_path):
    card = (tmp_path / 'person' / 'README.md').read_text(encoding='utf-8')
    assert 'best.pth' in card and '`irra`' in card and str(tmp_path) not in card
    assert str(tmp_path) not in (tmp_path / 'person' / 'config.json').read_text(encoding='utf-8')
