"""A tiny random CLIP in the layout of Immich, against the same CLIP in torch, called by hand."""

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pretrained_models import SENTENCES, save_tiny
from torch import nn
from transformers import CLIPModel, CLIPTokenizerFast

pytest.importorskip('onnxscript')

from mmtbps.errors import BadValue, MissingFile  # noqa: E402
from mmtbps.search import TextToPersonInferencer, load_encoder  # noqa: E402
from mmtbps.search.encoders import ImmichEncoder  # noqa: E402
from mmtbps.search.encoders.immich_encoder import cover  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
MEAN, STD, SIDE = (.4, .5, .6), (.2, .3, .25), 32
LONG = ' '.join(SENTENCES * 9)


class Visual(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return F.normalize(self.model.visual_projection(
            self.model.vision_model(image).pooler_output), dim=-1)


class Textual(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, text):
        hidden = self.model.text_model(text.long()).pooler_output
        return self.model.text_projection(hidden), hidden


def write_graph(module, name, example, folder):
    folder.mkdir(exist_ok=True)
    logging.disable(logging.WARNING)
    torch.onnx.export(module.eval(), kwargs={name: example}, f=folder / 'model.onnx', dynamo=True,
                      input_names=[name], external_data=False, verbose=False,
                      dynamic_shapes={name: {0: torch.export.Dim('batch')}})
    logging.disable(logging.NOTSET)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """The model in torch, its tokenizer, and its folder; texts give a second output."""
    source = tmp_path_factory.mktemp('clip')
    folder = tmp_path_factory.mktemp('immich') / 'ViT-tiny'
    save_tiny(source, 'clip')
    model, tokenizer = CLIPModel.from_pretrained(source), CLIPTokenizerFast.from_pretrained(source)
    folder.mkdir()
    with torch.no_grad():
        write_graph(Visual(model), 'image', torch.zeros(2, 3, SIDE, SIDE), folder / 'visual')
        write_graph(Textual(model), 'text', torch.ones(2, 16, dtype=torch.int32),
                    folder / 'textual')
    write(folder / 'visual/preprocess_cfg.json', size=[SIDE, SIDE], mean=MEAN, std=STD, mode='RGB',
          interpolation='bicubic', resize_mode='shortest', fill_color=0)
    write(folder / 'config.json', embed_dim=24, vision_cfg={}, text_cfg=dict(context_length=16))
    tokenizer.save_pretrained(source / 'words')
    for name in ('tokenizer.json', 'tokenizer_config.json'):
        shutil.copy(source / 'words' / name, folder / 'textual')
    return model.eval(), tokenizer, folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of the folder, to change."""
    return shutil.copytree(made[2], tmp_path / 'ViT-tiny')


def write(path, **settings):
    path.write_text(json.dumps(settings))


def change(path, **settings):
    write(path, **{**json.loads(path.read_text()), **settings})


def pictures():
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 256, (9, 5, 3), dtype=np.uint8)).resize(size)
            for size in ((48, 128), (60, 60), (90, 40))]


@torch.no_grad()
def torch_features(made, squares, texts):
    """The features of pictures of the input's size and of texts, normalised by hand."""
    model, tokenizer, _ = made
    pixels = torch.stack([torch.from_numpy(np.array(picture)) for picture in squares]).permute(
        0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    ids = torch.full((len(texts), 16), tokenizer.pad_token_id)
    for row, text in zip(ids, texts, strict=True):
        words = tokenizer(text)['input_ids']
        words = words if len(words) <= 16 else [*words[:15], words[-1]]
        row[:len(words)] = torch.tensor(words)
    image = Visual(model)(((pixels - mean) / std).float())
    return image.numpy(), F.normalize(Textual(model)(ids)[0], dim=-1).numpy()


def padded(picture):
    side = max(picture.size)
    canvas = Image.new('RGB', (side, side), (102, 128, 153))
    canvas.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return canvas.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def middle(picture):
    """torchvision's Resize of the shorter side and CenterCrop, by hand."""
    short, long = sorted(picture.size)
    long = int(SIDE * long / short)
    size = (SIDE, long) if picture.width <= picture.height else (long, SIDE)
    left, top = (round((side - SIDE) / 2) for side in size)
    return picture.resize(size, Image.Resampling.BICUBIC).crop(
        (left, top, left + SIDE, top + SIDE))


def stretched(picture):
    return picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


@pytest.mark.parametrize('aspect, shape', [
    (None, padded), ('processor', middle), ('stretch', stretched)])
def test_features_are_those_of_torch(made, aspect, shape):
    encoder = load_encoder(made[2], aspect=aspect)
    texts = [*SENTENCES, LONG, 'A  man\tin RED']
    image, text = torch_features(made, [shape(picture) for picture in pictures()], texts)
    np.testing.assert_allclose(encoder.encode_images(pictures()), image, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(texts), text, atol=1e-5)
    assert encoder.dim == 24 and np.abs(image - image[::-1]).max() > .05
    assert np.abs(text - text[::-1]).max() > .05
    (long, read), = encoder.cut(['a man', LONG])
    np.testing.assert_allclose(encoder.encode_texts([read]), encoder.encode_texts([long]))
    assert LONG.startswith(read) and len(made[1](read)['input_ids']) == 16


def test_squash_stretches_and_bilinear_is_heard(made, folder):
    change(folder / 'visual/preprocess_cfg.json', resize_mode='squash', interpolation='bilinear')
    encoder = ImmichEncoder(folder, 'processor', batch_size=2)
    squares = [picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR) for picture in pictures()]
    np.testing.assert_allclose(encoder.encode_images(pictures()),
                               torch_features(made, squares, ['a'])[0], atol=1e-5)


def test_canonicalize_strips_punctuation_and_prompts_are_averaged(made, folder):
    change(folder / 'config.json', text_cfg=dict(context_length=16, tokenizer_kwargs=dict(
        clean='canonicalize')))
    encoder = ImmichEncoder(folder, prompts=['a photo of {}', '{}'])
    _, text = torch_features(made, [padded(pictures()[0])],
                             ['a photo of a tshirt red', 'a tshirt red'])
    mean = text.mean(0) / np.linalg.norm(text.mean(0))
    np.testing.assert_allclose(encoder.encode_texts(['a T-shirt, (red)!'])[0], mean, atol=1e-5)


def test_the_fingerprint_knows_graphs_aspect_and_words(made, folder):
    first = load_encoder(f'onnx:{made[2]}').fingerprint
    assert first == load_encoder(folder).fingerprint
    assert first != load_encoder(folder, aspect='stretch').fingerprint
    change(folder / 'visual/preprocess_cfg.json', mean=[.5, .5, .5])
    assert first['model'] == (second := load_encoder(folder).fingerprint)['model']
    assert first['pipeline'] != second['pipeline']
    (folder / 'visual/weights.bin').write_bytes(b'1')
    assert first['model'] != load_encoder(folder).fingerprint['model']


def test_a_gallery_is_searched_from_elsewhere(made, tmp_path, monkeypatch):
    (tmp_path / 'crops').mkdir()
    for number, picture in enumerate(pictures()):
        picture.save(tmp_path / f'crops/{number}.png')
    searcher = TextToPersonInferencer(f'onnx:{made[2]}', gallery=tmp_path / 'people')
    searcher.index(tmp_path / 'crops', progress=False)
    monkeypatch.chdir(tmp_path / 'crops')
    image, text = torch_features(made, [padded(picture) for picture in pictures()], ['a man'])
    hits = TextToPersonInferencer(made[2], gallery='../people')('a man')[0].hits
    assert [hit.entry.path for hit in hits] == [f'{i}.png' for i in np.argsort(-(image @ text[0]))]


def test_it_needs_no_torch(made, tmp_path):
    code = ('import sys; sys.modules.update(dict.fromkeys(["torch", "transformers", "mmengine"]));'
            'from mmtbps.search import load_encoder; from PIL import Image;'
            f'encoder = load_encoder({f"onnx:{made[2]}"!r});'
            'encoder.encode_images([Image.new("RGB", (9, 20))]); encoder.fingerprint;'
            'print(encoder.encode_texts(["a man"]).shape)')
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True,
                          env=dict(PYTHONPATH=str(ROOT)), text=True)
    assert done.stdout == '(1, 24)\n', done.stderr


@pytest.mark.parametrize('file, content, error, message', [
    ('config.json', None, MissingFile, 'config.json: missing'),
    ('config.json', '[]', BadValue, 'must be a JSON object'),
    ('config.json', '{"text_cfg": 3}', BadValue, 'its text_cfg is none of open_clip'),
    ('visual/preprocess_cfg.json', '{"size": 32}', BadValue, 'needs size, mean and std'),
    ('visual/preprocess_cfg.json', '{"size": 32, "mean": [0, 0, 0], "std": [1, 1, 1], '
     '"resize_mode": "longest"}', BadValue, "resize_mode 'longest'"),
    ('visual/model.onnx', 'junk', BadValue, 'no graph that ONNX Runtime opens'),
    ('textual/tokenizer.json', '{}', BadValue, 'no tokenizer'),
    ('textual/tokenizer_config.json', '{"pad_token": "?!"}', BadValue, 'pad_token must be a')])
def test_a_broken_folder_is_named(folder, file, content, error, message):
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(error, match=message) as caught:
        load_encoder(folder)
    assert Path(file).name in str(caught.value)


def test_graphs_in_the_wrong_place_and_names_that_lead_nowhere_are_refused(folder, tmp_path):
    shutil.copy(folder / 'visual/model.onnx', folder / 'textual')
    with pytest.raises(BadValue, match=r"its graphs take \['image', 'image'\]"):
        load_encoder(folder)
    with pytest.raises(MissingFile, match='no folder of ONNX graphs'):
        load_encoder(f'onnx:{tmp_path}')
    with pytest.raises(BadValue, match='brings its weights'):
        load_encoder(folder, device='cuda')
    with pytest.raises(BadValue, match='aspect must be one of'):
        load_encoder(folder, aspect='crop')


def test_a_picture_is_covered():
    assert cover(Image.new('RGB', (90, 40)), (32, 16), Image.Resampling.BICUBIC).size == (16, 32)
