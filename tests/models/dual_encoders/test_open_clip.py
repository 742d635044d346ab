"""Dual encoders of open_clip against the library called by hand; and what happens without it."""

import json
import sys

import pytest
import torch
import torch.nn.functional as F
from pretrained_models import SENTENCES, spread
from test_hugging_face import LONG, crops

from mmtbps.compat import torchvision_or_stub
from mmtbps.errors import BadValue, MissingPackage, UserError
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search import load_encoder

CONFIG = dict(
    model_cfg=dict(
        embed_dim=24, vision_cfg=dict(image_size=32, layers=2, width=64, patch_size=8),
        text_cfg=dict(context_length=16, vocab_size=49408, width=64, heads=2, layers=2)),
    preprocess_cfg=dict(mean=[.4, .5, .6], std=[.2, .3, .25], interpolation='bicubic',
                        resize_mode='shortest'))


@pytest.fixture
def open_clip():
    """The library, if it is installed beside torchvision."""
    with torchvision_or_stub() as kind:
        if kind == 'stub':
            pytest.skip('torchvision is not installed')
        return pytest.importorskip('open_clip')


@pytest.fixture
def folder(open_clip, tmp_path):
    """A random model as open_clip saves one."""
    from safetensors.torch import save_file
    (tmp_path / 'open_clip_config.json').write_text(json.dumps(CONFIG))
    torch.manual_seed(0)
    network = open_clip.CLIP(**{**CONFIG['model_cfg']})
    spread(network)
    save_file(network.state_dict(), tmp_path / 'open_clip_model.safetensors')
    return tmp_path


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


def test_the_encoder_knows_its_config(folder, tmp_path):
    first = load_encoder(f'open_clip:{folder}', device='cpu').fingerprint
    settings = dict(CONFIG, model_cfg=dict(CONFIG['model_cfg'], quick_gelu=True))
    (folder / 'open_clip_config.json').write_text(json.dumps(settings))
    second = load_encoder(f'open_clip:{folder}', device='cpu').fingerprint
    assert first['model'] == second['model'] and first['pipeline'] != second['pipeline']


def test_bad_names_are_one_line(open_clip, tmp_path):
    for name, words in (('ViT-B-32', 'an architecture and a tag'),
                        ('ViT-B-32/no_such_tag', 'not loaded'),
                        (str(tmp_path), 'not loaded'), ('ViT-B-32/openai@main', 'no revisions')):
        with pytest.raises(UserError, match=words):
            load_dual_encoder(f'open_clip:{name}')


@pytest.mark.parametrize('missing', ['open_clip', 'torchvision'])
def test_a_missing_package_is_named(monkeypatch, missing):
    for name in [name for name in sys.modules if name.split('.')[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'open_clip', None)
    with pytest.raises(MissingPackage, match=r'need \w+: pip install "mmtbps\[open-clip\]"'):
        load_dual_encoder('open_clip:ViT-B-32/openai')
    with pytest.raises(BadValue, match='no revisions'):
        load_dual_encoder('open_clip:ViT-B-32/openai@main')
