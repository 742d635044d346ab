"""Features of a folder by the actors of a cluster: the files of one process, byte by byte."""

import contextlib
import os
import random
import signal
import time

import numpy as np
import pytest
from fakes import ColorEncoder
from PIL import Image
from ray_rig import command_on_ray, on_ray, python_alone

from mmtbps.clusters.lost_work import work_through
from mmtbps.commands import extract_features
from mmtbps.commands.main import run_command

pytest_plugins = 'named_model_fixtures'  # `folders` and `crops`
IMAGES, PART = 200, 150


@pytest.fixture
def many(tmp_path):
    """A folder of pictures of all colours, none black, and a place for notes."""
    draw = random.Random(0)
    (tmp_path / 'many').mkdir()
    (tmp_path / 'notes').mkdir()
    for number in range(IMAGES):
        color = tuple(draw.randint(1, 255) for _ in range(3))
        Image.new('RGB', (8, 16), color).save(tmp_path / f'many/{number:03}.png')
    return tmp_path / 'many'


def written(out):
    return {path.name: path.read_bytes() for path in sorted(out.glob('*.npy'))}


def one_by_one(images, left_out=()):
    """Contents of the files, each image encoded alone."""
    paths = sorted(images.iterdir())
    return {f'part_{start:09d}.npy': np.concatenate([
        ColorEncoder().encode_images([Image.open(path)]) for path in paths[start:start + PART]
        if path.name not in left_out]) for start in range(0, len(paths), PART)}


def assert_holds(out, expected):
    found = {path.name: np.load(path) for path in out.glob('*.npy')}
    assert found.keys() == expected.keys()
    for name, features in expected.items():
        np.testing.assert_array_equal(found[name], features)


class FakePool:
    """A pool whose work is done here, the last batch first; the poisonous are never done."""

    def __init__(self, *poison):
        self.poison, self.batches = poison, []

    def run(self, make, batches):
        work, self.batches = make(), batches
        return work_through(batches, lambda some: [
            (number, work(batch)) for number, batch in reversed(some.items())
            if not {path.name for _, path in batch} & set(self.poison)])


@pytest.fixture
def extract(many, tmp_path, monkeypatch):
    """A function that runs the command with a pool and more words, into a folder."""
    monkeypatch.setattr(extract_features, 'load_encoder', lambda *_, **__: ColorEncoder())

    def extract(pool, *words, out='out'):
        monkeypatch.setattr(extract_features, 'open_pool',
                            lambda _: contextlib.nullcontext(pool))
        run_command('extract-features', ['CONFIG', 'CHECKPOINT', str(many), str(tmp_path / out),
                                         '--part-size', str(PART), '--dtype', 'float32', *words])
        return tmp_path / out

    return extract


def test_batches_in_any_order_make_the_files_of_one_process(extract, many):
    one = extract(None, out='one')
    assert written(extract(FakePool())) == written(one)
    assert_holds(one, one_by_one(many))


def test_what_is_there_is_not_dealt_out(extract, many):
    out, pool = extract(FakePool()), FakePool()
    whole = written(out)
    (out / f'part_{PART:09d}.npy').unlink()
    extract(pool)
    assert [number for batch in pool.batches for number, _ in batch] == [*range(PART, IMAGES)]
    assert written(out) == whole


def test_an_image_that_ends_its_process_is_named_and_left_out(extract, many, capsys):
    (many / '004.png').write_bytes(b'no image')
    out = extract(FakePool('007.png', '180.png'))
    printed = capsys.readouterr()
    said = [line for line in printed.err.splitlines() if line.startswith('left out')]
    assert sorted(said) == [f'left out: {many}/004.png: no image of a known format'] + [
        f'left out: {many}/{name}: it ended its process 3 times, alone'
        for name in ('007.png', '180.png')]
    assert f'{IMAGES - 3} of {IMAGES} images' in printed.out
    (many / '004.png').write_bytes((many / '005.png').read_bytes())
    assert_holds(out, one_by_one(many, ('004.png', '007.png', '180.png')))


def test_images_that_a_machine_does_not_see_are_told_once(extract, many, tmp_path, refused):
    class Far(FakePool):
        def run(self, make, batches):
            many.rename(tmp_path / 'gone')
            return super().run(make, batches)

    with refused('many is not there on .* a machine of the cluster'):
        extract(Far())
    assert not written(tmp_path / 'out')


def test_sizes_of_actors_need_a_cluster(many, tmp_path, refused):
    with refused('--ray-cpus is about the actors of --ray; name both'):
        run_command('extract-features', ['CONFIG', 'CHECKPOINT', str(many), str(tmp_path / 'out'),
                                         '--ray-cpus', '2'])


@pytest.mark.slow
@pytest.mark.parametrize('kill', ['', 'kill'])
def test_ray_makes_the_files_of_one_process(many, tmp_path, kill):
    answer, said = on_ray('ray_extraction_work', 'extract_on_ray', many, tmp_path / 'out',
                          tmp_path / 'notes', kill)
    assert answer == dict(encoded=IMAGES, images=IMAGES)
    if kill:
        assert 'A worker died' in said or len(list((tmp_path / 'notes').iterdir())) > 2
    assert_holds(tmp_path / 'out', one_by_one(many))


@pytest.mark.slow
def test_ray_names_an_image_that_ends_its_process(many, tmp_path):
    Image.new('RGB', (8, 16), (0, 0, 0)).save(many / '007.png')
    answer, said = on_ray('ray_extraction_work', 'extract_on_ray', many, tmp_path / 'out',
                          tmp_path / 'notes')
    assert answer == dict(encoded=IMAGES - 1, images=IMAGES)
    assert f'left out: {many}/007.png: it ended its process 3 times, alone' in said
    assert_holds(tmp_path / 'out', one_by_one(many, ['007.png']))


@pytest.mark.slow
def test_the_command_makes_the_files_of_one_process(folders, crops, tmp_path):
    words = ['--model', f'hf:{folders("siglip")}', str(crops)]
    sizes = ['--part-size', '3', '--dtype', 'float32', '--device', 'cpu']
    code, out, said = command_on_ray('extract-features', *words, 'ray', *sizes, cwd=tmp_path)
    assert code == 0, said[-4000:]
    assert '8 of 8 images encoded now into 3 files' in out
    run_command('extract-features', [*words, str(tmp_path / 'one'), *sizes])
    one, there = (sorted((tmp_path / name).iterdir()) for name in ('one', 'ray'))
    assert [path.name for path in one] == [path.name for path in there] and len(one) == 4
    for file, other in zip(one, there, strict=True):
        assert file.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_a_stopped_command_keeps_whole_files_and_goes_on(folders, many, tmp_path):
    words = ['extract-features', '--model', f'hf:{folders("siglip")}', many, tmp_path / 'out',
             '--part-size', '4', '--device', 'cpu']
    with python_alone('-m', 'mmtbps', *words, '--ray', '--ray-actors', '2', '--ray-cpus',
                      '.4') as process:
        while not written(tmp_path / 'out') and process.poll() is None:
            time.sleep(.02)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT, said
    assert said.splitlines()[-1] == f'error: {extract_features.INTERRUPTED}'
    kept = written(tmp_path / 'out')
    assert 0 < len(kept) < IMAGES // 4
    code, out, said = command_on_ray(*words)
    assert code == 0, said[-4000:]
    assert f'{4 * len(kept)} were there before' in out
    words[4] = tmp_path / 'one'
    run_command(words[0], [*map(str, words[1:])])
    assert written(tmp_path / 'out') == written(tmp_path / 'one')
    assert kept.items() <= written(tmp_path / 'one').items()
