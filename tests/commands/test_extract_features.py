"""Feature extraction: the features of strangers, file by file."""

import json

import numpy as np
import pytest
from PIL import Image

from mmtbps.commands import extract_features
from mmtbps.commands.main import run_command


class MeanColor:
    """Encoder of the mean color of an image; counts its images."""

    dim, fingerprint = 3, dict(model='mean', dim=3)

    def __init__(self):
        self.encoded = 0

    def encode_images(self, images):
        self.encoded += len(images)
        means = np.stack([np.asarray(image, np.float32).mean((0, 1)) for image in images])
        return means / np.linalg.norm(means, axis=1, keepdims=True)


@pytest.fixture
def encoder(monkeypatch):
    encoder = MeanColor()
    monkeypatch.setattr(extract_features, 'load_encoder',
                        lambda model, weights, device, notify: encoder)
    return encoder


@pytest.fixture
def folders(tmp_path):
    """Seven readable images and a broken one; where the features go."""
    images = tmp_path / 'images'
    (images / 'deep').mkdir(parents=True)
    for number in range(7):
        Image.new('RGB', (4, 8), (10 + 30 * number, 200, 90)).save(
            images / ('deep' if number % 2 else '') / f'{number}.png')
    (images / 'broken.png').write_bytes(b'no image')
    return images, tmp_path / 'out'


def run(folders, *options):
    run_command('extract-features', ['CONFIG', 'CHECKPOINT', *map(str, folders), '--part-size', '3',
                                     *options])


def joined(out):
    return np.concatenate([np.load(path) for path in sorted(out.glob('*.npy'))])


def test_features_of_all_readable_images_in_order(encoder, folders, capsys):
    run(folders, '--dtype', 'float32')
    paths = [path for path in extract_features.list_images(folders[0]) if path.name != 'broken.png']
    expected = encoder.encode_images([Image.open(path) for path in paths])
    np.testing.assert_array_equal(joined(folders[1]), expected)
    printed = capsys.readouterr()
    assert 'broken.png' in printed.err and '7 of 8 images encoded' in printed.out


def test_goes_on_after_the_last_whole_file(encoder, folders, monkeypatch):
    run(folders)
    whole, count = joined(folders[1]), encoder.encoded
    lost = sorted(folders[1].glob('*.npy'))[1]
    lost.unlink()
    (folders[1] / f'{lost.name}.partial').write_bytes(b'half a file of a killed run')
    run(folders)
    np.testing.assert_array_equal(joined(folders[1]), whole)
    assert encoder.encoded == count + len(np.load(lost)) and whole.dtype == np.float16


def test_strangers_join_a_gallery(encoder, folders):
    from mmtbps.evaluation import evaluate_ranking, evaluate_streamed, open_features
    run(folders)
    people = np.eye(3, dtype=np.float32)
    streamed = evaluate_streamed(people, [0, 1, 2], [(people, [1, 0, 2]),
                                                     *open_features(folders[1])])
    strangers = joined(folders[1])
    expected = evaluate_ranking(people, [0, 1, 2], np.concatenate([people, strangers]),
                                [1, 0, 2, *[-1] * len(strangers)])
    assert streamed == expected and streamed['num_gallery'] == 10


@pytest.fixture
def refusal(capsys):
    """A function that runs the command, which must fail, and gives its one line."""
    def refusal(folders, *options):
        with pytest.raises(SystemExit) as stop:
            run(folders, *options)
        line, = capsys.readouterr().err.splitlines()[-1:]
        assert stop.value.code == 1 and line.startswith('error: ')
        return line
    return refusal


def test_a_folder_of_another_model_or_other_images_is_refused(encoder, folders, refusal):
    run(folders)
    assert 'begun with other dtype' in refusal(folders, '--dtype', 'float32')
    (folders[0] / '0.png').unlink()
    assert 'begun with other images' in refusal(folders)
    manifest = folders[1] / extract_features.MANIFEST
    assert len(json.loads(manifest.read_text())['images']) == 8
    for damaged in ('{"model"', '[]'):
        manifest.write_text(damaged)
        assert 'extraction.json: damaged' in refusal(folders)


def test_mistakes_are_one_line(encoder, folders, tmp_path, refusal):
    assert 'no such folder, or no image in it' in refusal((tmp_path / 'nowhere', folders[1]))
    assert 'must be positive' in refusal(folders, '--workers', '0')


def test_any_other_error_keeps_its_traceback(encoder, folders, monkeypatch, at_fault):
    monkeypatch.setattr(encoder, 'encode_images', lambda images: None)
    with at_fault(ValueError):
        run(folders)
