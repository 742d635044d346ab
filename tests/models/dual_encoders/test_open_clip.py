"""Dual encoders of open_clip against the library called by hand; and what happens without it."""

import json
import sys

import pytest
import torch
import torch.nn.functional as F
from pretrained_models import SENTENCES
from test_hugging_face import LONG, crops

from mmtbps.errors import BadValue, MissingPackage, UserError
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search import load_encoder

pytest_plugins = 'open_clip_fixtures'  # `open_clip`, `folder`, `config`


def test_features_are_the_librarys_own(open_clip, folder):
    model = load_dual_encoder(f'open_clip:{folder}', aspect='processor')
    network, transform = open_clip.create_model_from_pretrained(f'local-dir:{folder}')
    words = open_clip.get_tokenizer(f'local-dir:{folder}')([*SENTENCES, LONG])
    with torch.no_grad():
        image = network.eval().encode_image(torch.stack([transform(crop) for crop in crops()]))
        text = network.encode_text(words)
        for ours, theirs in ((model.encode_images(crops()), image),
                             (model.encode_texts([*SENTENCES, LONG]), text)):
            torch.testing.assert_close(ours, F.normalize(theirs, dim=-1), atol=1e-5, rtol=0)
            assert (ours @ ours.T - torch.eye(4)).max() < .9999
        torch.testing.assert_close(
            torch.cat([model.encode_texts([one]) for one in [*SENTENCES, LONG]]),
            model.encode_texts([*SENTENCES, LONG]), atol=2e-6, rtol=0)
    assert model.mean == (.4, .5, .6) and model.image_size == (32, 32) and not model.probability
    assert load_dual_encoder(f'open_clip:{folder}').aspect == 'letterbox'


def test_a_long_sentence_is_cut_and_named(folder):
    model = load_dual_encoder(f'open_clip:{folder}')
    assert model.cut(['a man', 'a man in a red coat .']) == []
    (text, read), = model.cut([LONG, 'a man'])
    assert len(read.split()) == 14 and LONG.startswith(read)  # 16 tokens, 2 of them special
    with torch.no_grad():
        torch.testing.assert_close(*model.encode_texts([LONG, read]), atol=2e-6, rtol=0)


def test_the_encoder_knows_its_config(folder, config):
    first = load_encoder(f'open_clip:{folder}', device='cpu').fingerprint
    config['model_cfg']['quick_gelu'] = True
    (folder / 'open_clip_config.json').write_text(json.dumps(config))
    second = load_encoder(f'open_clip:{folder}', device='cpu').fingerprint
    assert first['model'] == second['model'] and first['pipeline'] != second['pipeline']


@pytest.mark.parametrize('key, values, words', [
    ('std', [.2, 0, .2], 'above 0'), ('std', [.2], 'above 0'),
    ('mean', [float('nan'), .5, .5], 'of 0 to 1')])
def test_colors_that_do_not_serve_are_named(key, values, words, folder, config):
    (folder / 'open_clip_config.json').write_text(json.dumps(
        dict(config, preprocess_cfg={**config['preprocess_cfg'], key: values})))
    with pytest.raises(BadValue, match=f'{key} in its open_clip_config.json must be three numbers '
                                       f'{words}'):
        load_dual_encoder(f'open_clip:{folder}')


def test_weights_that_do_not_serve_are_refused(folder, config):
    from safetensors.torch import load_file, save_file
    file = folder / 'open_clip_model.safetensors'
    weights = load_file(file)
    weights['ln_final.bias'][0] = torch.nan
    save_file(weights, file)
    with pytest.raises(BadValue, match='holds NaN or infinity: ln_final.bias'):
        load_dual_encoder(f'open_clip:{folder}')
    (folder / 'open_clip_config.json').write_text(json.dumps(dict(config, model_cfg={
        **config['model_cfg'], 'text_cfg': {**config['model_cfg']['text_cfg'], 'layers': 1}})))
    with pytest.raises(UserError, match='not loaded'):  # of one layer more than the config says
        load_dual_encoder(f'open_clip:{folder}')


def test_bad_names_are_one_line(open_clip, tmp_path):
    for name, words in (('ViT-B-32', 'an architecture and a tag'),
                        ('ViT-B-32/no_such_tag', 'not loaded'),
                        (str(tmp_path), 'not loaded'), ('ViT-B-32/openai@main', 'no revisions')):
        with pytest.raises(UserError, match=words):
            load_dual_encoder(f'open_clip:{name}')


def test_towers_are_called_whatever_their_inputs_are_named(folder):
    """CoCa's image tower takes ``images``."""
    model = load_dual_encoder(f'open_clip:{folder}')
    known = model.encode_images(crops())
    encode = model.network.encode_image
    model.network.encode_image = lambda images: encode(images)
    assert torch.equal(model.encode_images(crops()), known)


@pytest.mark.parametrize('missing', ['open_clip', 'torchvision'])
def test_a_missing_package_is_named(monkeypatch, missing):
    for name in [name for name in sys.modules if name.split('.')[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'open_clip', None)
    with pytest.raises(MissingPackage, match=r'need \w+: pip install "mmtbps\[open-clip\]"'):
        load_dual_encoder('open_clip:ViT-B-32/openai')
    with pytest.raises(BadValue, match='no revisions'):
        load_dual_encoder('open_clip:ViT-B-32/openai@main')
