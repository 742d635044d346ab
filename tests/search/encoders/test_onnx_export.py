"""Exporting: what is written, what is refused, and that the comparison with torch can fail."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from mmtbps.commands import export  # noqa: E402
from mmtbps.commands.main import run_command  # noqa: E402
from mmtbps.datasets import DrawnPEDES  # noqa: E402
from mmtbps.datasets.skipped import ImagesLeftOut  # noqa: E402
from mmtbps.engine.launch import allow_missing_images  # noqa: E402
from mmtbps.errors import BadValue, MissingPackage, UserError  # noqa: E402
from mmtbps.search.encoders.onnx_encoder import OnnxEncoder  # noqa: E402
from mmtbps.search.encoders.onnx_export import (  # noqa: E402
    ImageTower,
    export_encoder,
    random_captions,
    random_images,
    steps_to_repeat,
)
from mmtbps.search.encoders.torch_encoder import TorchEncoder  # noqa: E402
from mmtbps.search.media.images import read_image  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def export_nothing(exported, monkeypatch):
    """Replaces the slow part, the graphs, by copies of finished ones."""
    monkeypatch.setattr('mmtbps.search.encoders.onnx_export.export_graphs',
                        lambda model, size, folder: [
        shutil.copy(exported / name, folder) for name in ('image.onnx', 'text.onnx')])


def test_the_manifest_says_what_is_in_the_folder(exported, tiny_encoder):
    manifest = json.loads((exported / 'export.json').read_text())
    assert manifest['image'] == dict(
        size=[32, 16], channels='rgb', resize='bicubic',
        mean=pytest.approx([123.675, 116.28, 103.53]),
        std=pytest.approx([58.395, 57.12, 57.375]))
    assert manifest['text'] == dict(max_length=64, pad_token_id=0, min_length=0)
    assert manifest['fingerprint'] == tiny_encoder.fingerprint and manifest['dim'] == 16
    assert {path.name for path in exported.iterdir()} == {'export.json', *manifest['files']}
    for name, file in manifest['files'].items():
        content = (exported / name).read_bytes()
        assert file == dict(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        assert str(ROOT).encode() not in content, 'a graph should not tell where it was made'
    assert manifest['check']['fp32']['images'] > 0.99999 > manifest['check']['int8']['images']


def test_eight_bit_weights_are_smaller(exported):
    import onnx
    kinds = {precision: [node.op_type for node in onnx.load(exported / name).graph.node]
             for precision, name in (('fp32', 'text.onnx'), ('int8', 'text.int8.onnx'),
                                     ('image', 'image.int8.onnx'))}
    # Per layer: query, key, value, output and two of the feed-forward part; and the pooler.
    assert 'MatMulInteger' not in kinds['fp32']
    assert kinds['int8'].count('MatMulInteger') >= 12
    # The last layer of images has a part of one weight for queries, another for keys and values.
    assert kinds['image'].count('MatMulInteger') == 4 + 5


@pytest.fixture
def other_encoder(tiny_config):
    """BGR pixels, a projection, another pooling and resize: none of them is the default."""
    cfg = Config.fromfile(tiny_config)
    cfg.model.data_preprocessor.to_rgb = False
    cfg.model.text_backbone.pooling = 'mean'
    cfg.model.image_neck = cfg.model.text_neck = dict(type='ProjectionNeck', out_dims=6)
    cfg.test_dataloader.dataset.pipeline[1].interpolation = 'lanczos'
    torch.manual_seed(1)
    return TorchEncoder(cfg, weights='random', device='cpu')


@torch.no_grad()
def test_the_graph_of_a_bgr_model_takes_rgb(other_encoder):
    images = [image.resize((16, 32)) for image in random_images(5, seed=1)]
    pixels = np.stack([np.asarray(image) for image in images])
    expected = other_encoder.encode_images(images)
    tower = ImageTower(other_encoder.model)
    np.testing.assert_allclose(tower(torch.from_numpy(pixels)), expected, atol=1e-6)
    swapped = tower(torch.from_numpy(pixels[..., ::-1].copy()))
    assert np.abs(swapped - expected).max() > 1e-3, 'channels should matter'


@pytest.mark.slow
def test_a_model_of_another_make_agrees_too(other_encoder, tmp_path):
    folder = tmp_path / 'deep' / 'model'
    manifest = export_encoder(other_encoder, folder)
    assert manifest['precision'] == 'fp32' and manifest['dim'] == 6
    assert manifest['image']['mean'] == pytest.approx([103.53, 116.28, 123.675])
    images, ours = random_images(5, seed=1), OnnxEncoder(folder)
    np.testing.assert_allclose(ours.encode_images(images), other_encoder.encode_images(images),
                               atol=2e-6)


@pytest.mark.parametrize('images, captions', [(True, False), (False, True)])
def test_other_features_than_those_of_torch_are_refused(
        export_nothing, tiny_encoder, tmp_path, monkeypatch, images, captions):
    """Real inputs count too: only the one that is given is wrong."""
    given = random_images(1, seed=9), ['A man in a green shirt.']
    encode = 'encode_images' if images else 'encode_texts'
    right = getattr(tiny_encoder, encode)

    def wrong(inputs):
        features = right(inputs)
        features[len(random_images(8)):] *= -1
        return features

    monkeypatch.setattr(tiny_encoder, encode, wrong)
    with pytest.raises(ValueError, match=r'fp32: the least cosine .*-1\.0000.*0\.99999 is asked'):
        export_encoder(tiny_encoder, tmp_path / 'model', images=given[0], captions=given[1])
    assert list(tmp_path.iterdir()) == [], 'nothing should be left behind'


def test_an_export_in_the_way_is_not_touched(exported, tiny_encoder):
    before = sorted(path.stat().st_mtime_ns for path in exported.iterdir())
    with pytest.raises(FileExistsError, match='remove it or name another folder') as caught:
        export_encoder(tiny_encoder, exported)
    assert isinstance(caught.value, UserError)
    assert sorted(path.stat().st_mtime_ns for path in exported.iterdir()) == before


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_without_a_package_the_extra_is_named(tiny_encoder, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=rf'{package}: pip install "mmtbps\[deploy\]"'):
        export_encoder(tiny_encoder, tmp_path / 'model')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('change, message', [
    (dict(backend='cv2'), "backend='cv2'"), (dict(keep_ratio=True), 'keep_ratio=True'),
    (dict(type='RandomFlip', prob=0.0), 'the test pipeline has RandomFlip'),
    (dict(type='LoadImageFromFile'), 'needs Resize')])
def test_a_pipeline_that_cannot_be_repeated_is_refused(
        tiny_config, export_nothing, tmp_path, change, message):
    cfg = Config.fromfile(tiny_config)
    step = cfg.test_dataloader.dataset.pipeline[1]
    if 'type' in change:
        step.clear()
    step.update(change)
    encoder = TorchEncoder(cfg, weights='random', device='cpu')
    with pytest.raises(BadValue, match=message):
        export_encoder(encoder, tmp_path / 'model')
    assert list(tmp_path.iterdir()) == []


def test_the_steps_of_the_paper_can_be_repeated():
    cfg = Config.fromfile(ROOT / 'configs/_base_/pipelines/paper.py')
    resize = cfg.test_pipeline[1]
    resize, _ = steps_to_repeat([resize.pop('type')(**resize), TokenizeCaption()])
    assert (resize.scale, resize.interpolation) == ((128, 384), 'bicubic')


class TokenizeCaption:
    """Stands in for the real one by its name."""


def test_random_captions_use_the_vocabulary_and_some_are_too_long(exported):
    captions = random_captions(exported / 'tokenizer.json', 8)
    assert [len(caption.split()) for caption in captions][::7] == [1, 100]
    encoder = OnnxEncoder(exported)
    ids = encoder.tokenizer.encode_batch(captions)
    assert max(len(encoding.ids) for encoding in ids) == 64
    assert len({token for encoding in ids for token in encoding.ids}) > 100


def test_the_command_exports_compares_and_ranks(
        export_nothing, tiny_config, tiny_encoder, micro_set, tmp_path, capsys):
    torch.save(tiny_encoder.model.state_dict(), tmp_path / 'model.pth')
    (tmp_path / 'queries.txt').write_text('A man in red.\n\nA woman.\n')
    run_command('export', [
        str(tiny_config), str(tmp_path / 'model.pth'), str(tmp_path / 'out'), '--evaluate',
        '--images', str(micro_set), '--captions', str(tmp_path / 'queries.txt')])
    output = capsys.readouterr().out
    assert 'text.onnx: 0.2 MB' in output and 'fp32: least cosine to torch 1.0' in output
    rows = [line.split(' | ') for line in output.splitlines() if line.startswith('| ')]
    assert [row[0] for row in rows] == ['| encoder', '| ---', '| torch', '| ONNX fp32']
    assert rows[2][1:] == rows[3][1:] and float(rows[2][1]) == pytest.approx(
        recall_at_one(tiny_config, tiny_encoder), abs=0.005)


def test_missing_test_images_are_refused_or_said(
        tiny_config, micro_set, tmp_path, capsys, refused):
    shutil.copytree(micro_set, tmp_path / 'data')
    images = [record['file_path'] for record in json.loads(
        (tmp_path / 'data/reid_raw.json').read_text()) if record['split'] == 'test']
    (tmp_path / 'data/imgs' / images[0]).unlink()
    cfg = Config.fromfile(tiny_config)
    cfg.test_dataloader.dataset.data_root = str(tmp_path / 'data')
    with pytest.raises(ImagesLeftOut, match=f'1 of {len(images)} images left out'):
        export.list_test_items(cfg)
    allow_missing_images(cfg)
    assert len(export.list_test_items(cfg)) == len(images) - 1
    assert f'\n1 of {len(images)} images left out (missing)\n' in capsys.readouterr().out
    with refused('--allow-missing is for the test set of --evaluate'):
        run_command('export', ['CONFIG', 'CHECKPOINT', 'OUT', '--allow-missing'])


def recall_at_one(config, encoder):
    """Share of captions whose most similar image shows their person, in percent."""
    cfg = Config.fromfile(config).test_dataloader.dataset
    data = DrawnPEDES(data_root=cfg.data_root, split='test', test_mode=True)
    items = [data.get_data_info(index) for index in range(len(data))]
    gallery = encoder.encode_images([read_image(item['img_path']) for item in items])
    hits = [items[(gallery @ encoder.encode_texts([caption])[0]).argmax()]['person_id']
            == item['person_id'] for item in items for caption in item['captions']]
    return 100 * np.mean(hits)


class ByHeart:
    """Knows the people of the test set; or, mistaken, takes each for the next."""

    def __init__(self, items, mistaken=False):
        self.shown = [item['person_id'] for item in items]
        self.meant = [item['person_id'] + mistaken for item in items for _ in item['captions']]

    def encode_images(self, images):
        return np.eye(100, dtype=np.float32)[self.shown]

    def encode_texts(self, texts):
        return np.eye(100, dtype=np.float32)[self.meant]


def test_the_command_fails_when_the_ranking_gets_worse(tiny_config, capsys):
    items = export.list_test_items(Config.fromfile(tiny_config))
    right, wrong = ByHeart(items), ByHeart(items, mistaken=True)
    export.compare_ranking(items, dict(torch=right, same=right))
    assert '| same | 100.00 |' in capsys.readouterr().out
    with pytest.raises(ValueError, match='^mistaken loses 100.00 points of R1; at most 1 is'):
        export.compare_ranking(items, dict(torch=right, mistaken=wrong))


@pytest.mark.parametrize('config, options, message', [
    (None, [], 'nothing.pth: no such checkpoint'), ('nowhere.py', [], 'nowhere.py: '),
    (None, ['--images', 'nowhere'], 'nowhere: no such folder'),
    (None, ['--captions', 'nowhere.txt'], 'nowhere.txt: '),
    (None, ['--images', '{}'], 'no image below this folder to compare'),
    (None, ['--captions', os.devnull], f'{os.devnull}: no caption in this file to compare')])
def test_the_command_names_what_is_missing(tiny_config, tmp_path, capsys, config, options,
                                        message):
    with pytest.raises(SystemExit) as stop:
        run_command('export', [str(config or tiny_config), str(tmp_path / 'nothing.pth'),
                               str(tmp_path / 'out'),
                               *(word.format(tmp_path) for word in options)])
    line, = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and line.startswith('error: ') and message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_benchmark_measures_every_runtime(tmp_path):
    done = subprocess.run(
        [sys.executable, 'tools/benchmark.py', 'deployment', '--size', 'tiny', '--runs', '2',
         '--threads', '1', '--out', str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'deployment.json').read_text())['rows']
    assert [(row['model'], row['tower'], row['batch'], row['runtime']) for row in rows] == [
        (model, tower, batch, runtime) for model in ('vit_bert', 'clip')
        for tower in ('image', 'text') for batch in (1, 8)
        for runtime in ('torch fp32', 'ONNX Runtime fp32', 'ONNX Runtime int8')]
    for row in rows:
        limit = 0.995 if 'int8' in row['runtime'] else 0.99999
        assert limit <= row['least cosine'] <= 1 and row['times faster'] > 0
        assert row['inputs a second'] > 0
