"""The exported encoder: the features of torch, without torch, from undamaged files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands.wording.user_errors import word_remedy
from mmtbps.errors import MissingPackage, UserError
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.encoders.loading import load_encoder
from mmtbps.search.encoders.onnx_encoder import OnnxEncoder

ROOT = Path(__file__).resolve().parents[3]
CAPTIONS = ['A man.', 'The woman has a red coat, and blue jeans; no bag!', 'a  MAN with Ünknown 学',
            'A woman in a white shirt. ' * 40, 'red']


@pytest.fixture(scope='module')
def pictures(micro_set):
    """Photographs, and pictures of other sizes and modes."""
    rng = np.random.default_rng(3)
    photos = [Image.open(path) for path in sorted(micro_set.rglob('*.png'))
              + sorted(micro_set.rglob('*.jpg'))][:4]
    assert len(photos) == 4
    return [*photos, Image.fromarray(rng.integers(0, 256, (300, 70, 3), np.uint8)),
            Image.fromarray(rng.integers(0, 256, (20, 90, 4), np.uint8), 'RGBA'),
            Image.fromarray(rng.integers(0, 256, (16, 32), np.uint8), 'L')]


@pytest.mark.parametrize('batch_size', [1, 3])
def test_features_are_those_of_torch(exported, tiny_encoder, pictures, batch_size):
    ours = OnnxEncoder(exported, 'fp32', batch_size)
    for encode, inputs in (('encode_images', pictures), ('encode_texts', CAPTIONS)):
        expected, found = (getattr(encoder, encode)(inputs) for encoder in (tiny_encoder, ours))
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert found.dtype == np.float32
        alike = expected @ expected.T
        assert np.triu(alike, 1).max() < 1 - 1e-4, 'the inputs should be told apart'
    assert isinstance(ours, Encoder) and ours.dim == tiny_encoder.dim
    assert ours.fingerprint == tiny_encoder.fingerprint


def test_eight_bits_are_the_default_and_close(exported, tiny_encoder, pictures):
    ours = load_encoder(str(exported))
    assert ours.precision == 'int8' and 'int8' in repr(ours)
    for encode, inputs in (('encode_images', pictures), ('encode_texts', CAPTIONS)):
        expected, found = (getattr(encoder, encode)(inputs) for encoder in (tiny_encoder, ours))
        cosines = np.einsum('nd,nd->n', expected, found)
        assert 0.995 < cosines.min() and np.abs(found - expected).max() > 1e-4
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_eight_bits_do_not_depend_on_the_neighbours(exported, pictures):
    ours = OnnxEncoder(exported, 'int8')
    together = ours.encode_images(pictures), ours.encode_texts(CAPTIONS)
    for row, picture in enumerate(pictures):
        assert (ours.encode_images([picture])[0] == together[0][row]).all()
    for row, caption in enumerate(CAPTIONS):
        assert (ours.encode_texts([caption])[0] == together[1][row]).all()


def test_nothing_gives_nothing_and_nonsense_is_named(exported):
    ours = OnnxEncoder(exported)
    assert ours.encode_images([]).shape == ours.encode_texts([]).shape == (0, ours.dim)
    with pytest.raises(ValueError, match='empty'):
        ours.encode_texts(['a man', ' '])
    with pytest.raises(TypeError, match='must be a string, got 7'):
        ours.encode_texts([7])
    with pytest.raises(TypeError, match='PIL image, got ndarray'):
        ours.encode_images([np.zeros((4, 4, 3), np.uint8)])
    for options, message in ((dict(precision='int4'), 'int4'), (dict(batch_size=0), 'at least 1')):
        with pytest.raises(ValueError, match=message):
            OnnxEncoder(exported, **options)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize('damage', [cut, flip])
@pytest.mark.parametrize('name', ['image.int8.onnx', 'text.int8.onnx', 'tokenizer.json'])
def test_a_damaged_file_is_named(exported, tmp_path, name, damage):
    folder = shutil.copytree(exported, tmp_path / 'copy')
    damage(folder / name)
    with pytest.raises(ValueError, match=f'{name}: not the file that was exported.*Copy'):
        OnnxEncoder(folder)


def test_a_missing_file_is_named_and_one_that_is_not_needed_is_not_missed(exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / 'copy')
    (folder / 'text.onnx').unlink()
    assert OnnxEncoder(folder).precision == 'int8'
    with pytest.raises(FileNotFoundError, match='text.onnx: missing.*export again') as caught:
        OnnxEncoder(folder, 'fp32')
    assert word_remedy(caught.value.remedy) == 'mmtbps export CONFIG CHECKPOINT OUT'


@pytest.mark.parametrize('content, message', [
    ('{"schema": "mmtbps.exp', 'damaged'), ('[]', 'damaged'),
    (json.dumps(dict(schema='mmtbps.export/9')),
     "schema must be 'mmtbps.export/1' or 'mmtbps.export/2', got 'mmtbps.export/9'"),
    (json.dumps(dict(schema='mmtbps.export/1', precision='fp32', dim=4, image={}, files={})),
     r'damaged \(it lacks fingerprint, text\)')])
def test_a_damaged_manifest_is_named(tmp_path, content, message):
    (tmp_path / 'export.json').write_text(content)
    with pytest.raises(ValueError, match=f'export.json: {message}'):
        OnnxEncoder(tmp_path)


def test_a_folder_that_is_no_export_says_what_makes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match='export.json: no such file') as caught:
        OnnxEncoder(tmp_path)
    assert word_remedy(caught.value.remedy) == 'mmtbps export CONFIG CHECKPOINT OUT'


@pytest.mark.parametrize('package', ['onnxruntime', 'tokenizers'])
def test_a_missing_package_names_the_extra(exported, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=rf'{package}: pip install "mmtbps\[deploy\]"'):
        OnnxEncoder(exported)


def test_weights_and_a_device_are_not_for_an_exported_model(exported):
    for options in (dict(weights='x.pth'), dict(device='cuda')):
        with pytest.raises(UserError, match='is an exported model: it brings its weights'):
            load_encoder(exported, **options)
    assert load_encoder(exported, device='cpu').dim == 16


def test_people_are_found_where_there_is_no_torch(exported, tiny_encoder, pictures, tmp_path):
    """In a process where the training stack cannot be imported: index, then search by a text."""
    images = tmp_path / 'images'
    images.mkdir()
    for number, picture in enumerate(pictures):
        picture.convert('RGB').save(images / f'{number}.png')
    (tmp_path / 'search.py').write_text(
        'import json, sys\n'
        "absent = ('torch', 'mmengine', 'mmcv', 'mmpretrain', 'transformers')\n"
        'for name in absent:\n'
        '    sys.modules[name] = None  # importing it fails, as if it were not installed\n'
        'from mmtbps.search import TextToPersonInferencer\n'
        'searcher = TextToPersonInferencer(model=sys.argv[1], gallery=sys.argv[2])\n'
        'searcher.index(sys.argv[3])\n'
        "hits = searcher('The woman has a red coat.', topk=3)[0]['hits']\n"
        'assert not any(sys.modules.get(name) for name in absent)\n'
        "print(json.dumps({hit['path']: hit['score'] for hit in hits}))\n")
    done = subprocess.run(
        [sys.executable, 'search.py', str(exported), str(tmp_path / 'gallery'), str(images)],
        cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    query = tiny_encoder.encode_texts(['The woman has a red coat.'])[0]
    scores = tiny_encoder.encode_images([picture.convert('RGB') for picture in pictures]) @ query
    assert len(found) == 3
    for path, score in found.items():
        assert abs(scores[int(Path(path).stem)] - score) < 0.05
    assert max(found.values()) == pytest.approx(scores.max(), abs=0.05)
