"""Models of other makes from their folder to an answer: index, calibrate, ask for who is not there.

Two towers learn for a moment what colours are called: a CLIP of transformers as it lies in a
folder, and convolutional towers of ours as graphs for ONNX Runtime.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from pretrained_models import LETTERS, WORDS, save_tiny
from tiny_models import shrink

from mmtbps.commands.main import main

pytest.importorskip('sklearn')
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('same_log_level_afterwards')]

ROOT = Path(__file__).resolve().parents[2]
COLORS = dict(red=(220, 20, 30), green=(20, 160, 40), blue=(30, 50, 220), black=(10, 10, 10),
              white=(245, 245, 245))
LOOKS = [*product(COLORS, repeat=3)]  # coat, trousers, shoes
DATA = '''
_data = dict(type='CUHKPEDES', data_root={root!r}, test_mode=True)
val_dataloader = dict(dataset=dict(_data, split='val'))
test_dataloader = dict(dataset=dict(_data, split='test'))
'''


def sentence(look):
    return '{} coat, {} trousers and {} shoes'.format(*look)


def paint(look, generator):
    """Three stripes of nearly the colours that are named."""
    pixels = np.repeat(np.array([COLORS[name] for name in look]), [12, 12, 8], axis=0)
    pixels = pixels[:, None] + generator.normal(0, 25, (32, 16, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def learn(parameters, encode_images, encode_texts, steps):
    """Train both towers by InfoNCE on looks that are drawn anew in each step."""
    generator = np.random.default_rng(0)
    parameters = [*parameters]
    optimizer = torch.optim.Adam(parameters, 2e-3)
    for _ in range(steps):
        looks = [LOOKS[i] for i in generator.permutation(len(LOOKS))[:48]]
        logits = encode_images([paint(look, generator) for look in looks]) @ encode_texts(
            list(map(sentence, looks))).T / .07
        target = torch.arange(len(looks))
        loss = (torch.nn.functional.cross_entropy(logits, target)
                + torch.nn.functional.cross_entropy(logits.T, target))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def make_clip(folder):
    """A CLIP of transformers, by its folder."""
    from mmtbps.models.dual_encoders import load_dual_encoder
    save_tiny(folder / 'clip', 'clip')
    model = load_dual_encoder(f'hf:{folder / "clip"}')
    learn(model.requires_grad_().parameters(), model.encode_images, model.encode_texts, 120)
    model.network.save_pretrained(folder / 'clip')
    return f'hf:{folder / "clip"}', folder / 'clip'


def make_graphs(folder):
    """Graphs for ONNX Runtime of convolutional towers of ours."""
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    from mmtbps.search.encoders.torch_encoder import TorchEncoder
    words = folder / 'data/tokenizer'
    words.mkdir(parents=True)
    (words / 'vocab.txt').write_text('\n'.join(
        ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *dict.fromkeys([*WORDS, *LETTERS])]))
    (words / 'tokenizer_config.json').write_text('{"tokenizer_class": "BertTokenizer"}')
    cfg = shrink(Config.fromfile(ROOT / 'configs/tbps/conv_base_drawn.py'), folder / 'data', folder)
    cfg.model.image_backbone.update(width=24, out_dims=24)
    cfg.model.text_backbone.update(width=24, out_dims=24, vocab_size=128, word_drop=0.)
    torch.manual_seed(0)
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    model = encoder.model.train()
    learn(model.parameters(), lambda images: model.encode_image(encoder.prepare_images(images)),
          lambda texts: model.encode_text(*encoder.prepare_texts(texts)), 150)
    model.eval()
    encoder.save_pretrained(folder / 'ours')
    main(['export', '--model', str(folder / 'ours'), str(folder / 'graphs')])
    return f'onnx:{folder / "graphs"}', folder / 'graphs'


@pytest.fixture
def people(tmp_path):
    """A config of 60 people for each of two splits, of whom those of the first half are there."""
    generator = np.random.default_rng(1)
    records, looks = [], [LOOKS[i] for i in generator.permutation(len(LOOKS))[:120]]
    (tmp_path / 'imgs').mkdir()
    (tmp_path / 'there').mkdir()
    for number, look in enumerate(looks):
        split, name = ('val', 'test')[number // 60], f'{number}.png'
        paint(look, generator).save(tmp_path / 'imgs' / name)
        if split == 'test' and number % 2:
            paint(look, generator).save(tmp_path / 'there' / name)
        records.append(dict(split=split, id=number, file_path=name, processed_tokens=[],
                            captions=[sentence(look)]))
    (tmp_path / 'reid_raw.json').write_text(json.dumps(records))
    (tmp_path / 'data.py').write_text(DATA.format(root=str(tmp_path)))
    return looks[60:]


@pytest.mark.parametrize('make', [make_clip, make_graphs])
def test_a_calibrated_model_tells_who_is_there(make, people, tmp_path, capsys):
    name, folder = make(tmp_path)
    gallery = tmp_path / 'people'

    def call(*words):
        capsys.readouterr()
        main([str(word) for word in words])
        return capsys.readouterr().out

    call('index', gallery, tmp_path / 'there', '--model', name)
    measured = json.loads(call('calibrate', tmp_path / 'data.py', '--model', name, '--gallery',
                               gallery, '--check', 'test', '--sizes', '30', '--json'))['measured']
    beside = folder.with_name(f'{folder.name}.presence.json')
    assert beside.read_bytes() == (gallery / 'presence.json').read_bytes()
    half = measured['30 people, 50 % there']
    assert half['calibrated/AUROC'] > .8 and half['calibrated/skill'] > .2
    assert half['calibrated/ECE'] < .15

    said, found = {True: [], False: []}, 0
    for number in range(0, 20):
        answer, = json.loads(call('query', gallery, sentence(people[number]), '--json'))
        assert answer['presence']['calibrated'] and answer['presence']['searched'] == 30
        said[number % 2 == 1].append(answer['presence']['probability'])
        found += answer['hits'][0]['path'] == f'{60 + number}.png'
        assert 0 < answer['hits'][0]['probability'] <= answer['presence']['probability']
    assert np.mean(said[True]) > np.mean(said[False]) + .3 and found >= 7
    assert 'probably nobody here' in call('query', gallery, sentence(
        people[2 * int(np.argmin(said[False]))]))
