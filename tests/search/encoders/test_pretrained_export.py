"""Export of pretrained dual encoders, against torch; searching with it needs no torch."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pretrained_models import SENTENCES, save_tiny

from mmtbps.errors import BadValue
from mmtbps.search import load_encoder
from mmtbps.search.encoders import OnnxEncoder, PretrainedEncoder, export_encoder
from mmtbps.search.encoders.graph_encoder import average_prompts
from mmtbps.search.encoders.onnx_export import in_shape, random_images
from mmtbps.search.encoders.pretrained_export import PERSON, plan_pretrained
from mmtbps.search.encoders.pretrained_towers import (
    NaFlexImageTower,
    PretrainedImageTower,
    channel_scales,
)

pytest.importorskip('onnxscript')
ROOT = Path(__file__).resolve().parents[3]
LONG = ' '.join(SENTENCES * 9)


PROMPTS = ['a photo of {}', '{} in black']


def encoder_of(folder, kind='clip', **options):
    save_tiny(folder, kind)
    return PretrainedEncoder(f'hf:{folder}', 'cpu', **options)


@pytest.fixture(scope='module')
def exported_clip(tmp_path_factory):
    """A CLIP, the folder of its export, and what the export says."""
    encoder = encoder_of(tmp_path_factory.mktemp('clip'), prompts=PROMPTS)
    folder = tmp_path_factory.mktemp('export') / 'exported'
    return encoder, folder, export_encoder(encoder, folder, int8=True)


@pytest.mark.parametrize('kind, options, size', [
    ('clip', dict(prompts=PROMPTS), [32, 32]),
    pytest.param('siglip', dict(aspect='stretch'), [32, 32], marks=pytest.mark.slow),
    # Of at most 24 patches those of a person are 8 x 3; the other processor resizes, then cuts.
    ('siglip2', {}, [64, 24]), pytest.param('align', {}, [36, 36], marks=pytest.mark.slow)])
def test_an_exported_model_gives_the_features_of_torch(kind, options, size, tmp_path, request):
    if kind == 'clip':
        encoder, folder, manifest = request.getfixturevalue('exported_clip')
    else:
        (tmp_path / kind).mkdir()
        encoder, folder = encoder_of(tmp_path / kind, kind, **options), tmp_path / 'exported'
        manifest = export_encoder(encoder, folder, int8=True)
    assert manifest['check']['fp32']['images'] > .99999 and manifest['image']['size'] == size
    assert min(manifest['check']['int8'].values()) > .995
    exported, texts = OnnxEncoder(folder, 'fp32', 2), [*SENTENCES, LONG]
    images = in_shape(random_images(3, seed=1), PERSON if kind == 'siglip2' else None)
    images = [*images, Image.new('RGB', (48, 128), 'red')]
    np.testing.assert_allclose(exported.encode_images(images), encoder.encode_images(images),
                               atol=1e-5)
    np.testing.assert_allclose(exported.encode_texts(texts), encoder.encode_texts(texts),
                               atol=1e-5)
    assert exported.fingerprint == encoder.fingerprint
    assert exported.cut(texts) == [tuple(cut) for cut in encoder.cut(texts)] != []
    # Some are too long in one prompt alone.
    edges = [' '.join(['a'] * length) for length in range(8, 20) for _ in range(2)]
    assert exported.cut(edges) == [tuple(cut) for cut in encoder.cut(edges)]
    assert exported.probability(.3) == pytest.approx(encoder.probability(.3))
    assert (exported.probability(.3) is None) == (not kind.startswith('siglip'))


def test_the_folder_searches_without_torch(exported_clip):
    folder = exported_clip[1]
    code = ('import sys; sys.modules.update(dict.fromkeys(["torch", "transformers", "mmengine"]));'
            'from mmtbps.search import load_encoder; from PIL import Image;'
            'encoder = load_encoder("exported");'
            'encoder.encode_images([Image.new("RGB", (9, 20))]);'
            'print(encoder.encode_texts(["a man"]).shape)')
    done = subprocess.run([sys.executable, '-c', code], cwd=folder.parent, capture_output=True,
                          env=dict(PYTHONPATH=str(ROOT)), text=True)
    assert done.stdout == '(1, 24)\n', done.stderr
    # A gallery notes both, and hands them to whichever form of the model it is asked with.
    known = dict(aspect='letterbox', prompts=PROMPTS)
    assert load_encoder(f'onnx:{folder}', **known).dim == 24
    for other in (dict(known, aspect='stretch'), dict(known, prompts=['a photo of {}'])):
        with pytest.raises(BadValue, match='keeps the aspect and the prompts'):
            load_encoder(folder, **other)


@pytest.mark.parametrize('kind, options, reason', [
    ('align', dict(aspect='stretch'), 'resizes a second time'),
    ('clip', dict(aspect='processor'), 'cuts pictures')])
def test_a_preprocessing_that_cannot_be_repeated_is_refused(kind, options, reason, tmp_path):
    with pytest.raises(BadValue, match=f'cannot be exported: .*{reason}'):
        export_encoder(encoder_of(tmp_path, kind, **options), tmp_path / 'exported')
    assert not (tmp_path / 'exported').exists()


@torch.no_grad()
def test_the_image_tower_normalises_as_the_processor_does(tmp_path):
    encoder = encoder_of(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    tower = PretrainedImageTower(encoder.network)
    np.testing.assert_allclose(tower(torch.from_numpy(pixels)), encoder.encode_images(
        [Image.fromarray(picture) for picture in pixels]), atol=2e-6)
    plan = plan_pretrained(encoder)
    assert plan.image == dict(size=[32, 32], channels='rgb', resize='bicubic',
                              letterbox=[123, 117, 104]) and json.loads(plan.tokenizer)


@torch.no_grad()
@pytest.mark.parametrize('grid', [(8, 3), (2, 5), (4, 4)])
def test_the_naflex_tower_is_the_librarys_at_one_grid(grid, tmp_path):
    encoder = encoder_of(tmp_path, 'siglip2')
    noise, (rows, columns) = np.random.default_rng(0), grid
    pixels = noise.integers(0, 256, (2, 8 * rows, 8 * columns, 3), dtype=np.uint8)
    patches = torch.zeros(2, 24, 192)
    for n, row, column in itertools.product(range(2), range(rows), range(columns)):
        patch = pixels[n, 8 * row:8 * row + 8, 8 * column:8 * column + 8] / 127.5 - 1
        patches[n, row * columns + column] = torch.from_numpy(patch.reshape(-1))
    mask = (torch.arange(24) < rows * columns).long().expand(2, -1)
    expected = encoder.network.image_features(
        pixel_values=patches, pixel_attention_mask=mask, spatial_shapes=torch.tensor([grid] * 2))
    tower = NaFlexImageTower(encoder.network, grid, 8)
    torch.testing.assert_close(tower(torch.from_numpy(pixels)), F.normalize(expected, dim=-1),
                               atol=1e-5, rtol=0)
    assert encoder.encode_images([Image.new('RGB', (9, 9))]).shape == (1, 32), 'the model is whole'


class Processor:
    name = 'odd'

    def __init__(self, numbers):
        self.numbers = numbers

    def process_images(self, images):
        pixels = np.stack([np.asarray(image) for image in images]).transpose(0, 3, 1, 2)
        return dict(pixels=torch.from_numpy(self.numbers(pixels.astype(np.float64))))


def test_the_numbers_of_a_processor_are_measured():
    mean = np.array([1., 2., 3.])[:, None, None]
    scales = channel_scales(Processor(lambda pixels: pixels / 51 * mean - mean), (4, 2))
    torch.testing.assert_close(scales, torch.tensor([[1., 2, 3], [-51, -102, -153]]).div(
        torch.tensor([[51.], [51]])))
    with pytest.raises(BadValue, match='odd cannot be exported: its processor does not normalise'):
        channel_scales(Processor(lambda pixels: pixels ** 2), (4, 2))


def test_prompts_are_averaged_by_unit_features():
    features = np.array([[1., 0.], [0., 1.], [.6, .8], [.8, .6]])
    np.testing.assert_allclose(average_prompts(features, 2), np.full((2, 2), .5 ** .5))
    assert average_prompts(features, 1) is features
