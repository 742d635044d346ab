"""The benchmark of indexing: photographs, equal features, and rows that can fail."""

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch):
    """A function that imports a module of tools/benchmarks."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    threads = torch.get_num_threads()
    yield lambda name: importlib.import_module(f'benchmarks.{name}')
    torch.set_num_threads(threads)


@pytest.fixture
def work(load, tmp_path):
    """Three photographs and a tiny CLIP."""
    index = load('index')
    work = index.Workload(tmp_path, 'tiny', images=3, threads=1, batch=2)
    index.prepare(work, exported=False)
    return work


def test_photographs_are_different_crops_in_the_shape_of_people(load, tmp_path):
    photographs = load('photographs')
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)).save(
        tmp_path / 'a.png')
    files = photographs.write_photographs(tmp_path / 'many', 6, [tmp_path / 'a.png'])
    assert [file.name for file in files] == [f'{number:05}.jpg' for number in range(6)]
    assert len({file.read_bytes() for file in files}) == 6
    for file in files:
        width, height = Image.open(file).size
        assert 160 <= height <= 300 and height / width == pytest.approx(2.5, rel=.03)
    again = photographs.write_photographs(tmp_path / 'again', 6, [tmp_path / 'a.png'])
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in files]


def test_without_photographs_people_are_drawn(load, tmp_path, monkeypatch):
    photographs = load('photographs')
    monkeypatch.setattr(photographs, 'find_spec', lambda name: None)
    assert photographs.find_photographs() == []
    drawn = photographs.draw_people(tmp_path / 'drawn')
    assert len(drawn) > 8 and Image.open(drawn[0]).size == (208, 512)


def test_the_plain_loop_stores_the_features_of_the_model(load, work):
    """Against the sum of the pixels' way by hand: resized, cut in the middle, normalised."""
    index = load('index')
    result = index.measure_plain(work)
    stored = np.load(work.folder / 'plain.npy')
    model, _ = load('plain_index').load_plain(str(work.folder / 'clip'))
    mean, std = [.48145466, .4578275, .40821073], [.26862954, .26130258, .27577711]
    for path, feature in zip(work.files, stored, strict=True):
        image = Image.open(path)
        high = int(64 * image.height / image.width)
        top = (high - 64) // 2
        pixels = np.asarray(image.resize((64, high), Image.BICUBIC))[top:top + 64] / 255
        pixels = torch.tensor((pixels - mean) / std).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            pooled = model.vision_model(pixel_values=pixels).pooler_output
            expected = torch.nn.functional.normalize(model.visual_projection(pooled))[0]
        np.testing.assert_allclose(feature, expected, atol=1e-5)
    assert result['seconds'] > 0 and (stored[0] @ stored[1:].T < .999).all()


def test_the_index_has_the_features_of_the_plain_loop(load, work, monkeypatch):
    index = load('index')
    index.measure_plain(work)
    assert index.measure_torch(work)['cosine'] > .999999
    plain = np.load(work.folder / 'plain.npy')
    np.save(work.folder / 'plain.npy', plain[[1, 0, 2]])  # of other pictures
    assert index.measure_torch(work)['cosine'] < .999
    (work.folder / 'photographs/00002.jpg').write_bytes(b'no picture')
    with pytest.raises(SystemExit, match='2 of 3 photographs were indexed'):
        index.measure_torch(work)


def test_other_features_fail_the_table(load, work):
    index = load('index')
    results = dict(plain=dict(seconds=2., cpu_seconds=3.),
                   torch=dict(seconds=1., cpu_seconds=2., cosine=.999995))
    rows = index.table(work, results)
    assert rows[1] == {'row': 'torch', 'images/s': 3., 'seconds': 1., 'CPU seconds': 2.,
                       'times faster': 2., 'times less CPU': 1.5, 'least cosine': .999995}
    for cosine in (.99998, float('nan')):
        results['torch']['cosine'] = cosine
        with pytest.raises(SystemExit, match='torch: its features differ'):
            index.table(work, results)
    results = {'plain': results['plain'], index.INT8: dict(results['torch'], cosine=.996)}
    assert index.table(work, results)[1]['least cosine'] == .996


def test_rounds_give_their_median(load, monkeypatch):
    index, seconds = load('index'), iter([3., 1., 9., 2., 5., 4.])
    monkeypatch.setattr(index, 'in_own_process', lambda function, *rest: None if (
        function is index.prepare) else dict(seconds=(own := next(seconds)), cpu_seconds=2 * own))
    parser = argparse.ArgumentParser()
    index.add_options(parser)
    args = parser.parse_args(['--rounds', '3', '--images', '10', '--only', 'torch'])
    args.threads = 1
    rows = index.run(args)  # plain 3, 9, 5; torch 1, 2, 4
    assert [(row['row'], row['seconds'], row['CPU seconds']) for row in rows] == [
        ('plain', 5., 10.), ('torch', 2., 4.)]


@pytest.mark.slow
def test_the_command_measures_every_row(tmp_path):
    done = subprocess.run(
        [sys.executable, 'tools/benchmark.py', 'index', '--size', 'tiny', '--images', '40',
         '--threads', '1', '--only', 'torch', 'fp32', 'int8', '--out', str(tmp_path)], cwd=ROOT,
        capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'index.json').read_text())['rows']
    assert [row['row'] for row in rows] == [
        'plain', 'torch', 'ONNX Runtime fp32', 'ONNX Runtime int8']
    assert all(row['images/s'] > 0 and row['times faster'] > 0 for row in rows)
    assert rows[2]['least cosine'] > .99999 > rows[3]['least cosine'] > .995
