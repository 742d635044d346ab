"""Packing of images, killed at 20 moments: the shards are those of an uninterrupted packing."""

import numpy as np
import pytest
from campaigns import content, kill_again_and_again

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images') / 'imgs'
    random = np.random.default_rng(0)
    for number in range(120):
        path = folder / f'{number % 5}/{number}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.bytes(int(random.integers(100, 4000))))
    return folder


@pytest.mark.parametrize('workers', [1, 3])
def test_killed_while_it_packs(tools, images, tmp_path, workers):
    def job(folder, kill, **_):
        folder.mkdir(exist_ok=True)
        return tools.run('tools/pack_images.py', images, folder / 'imgs.tars', '--quiet',
                         '--shard-size', '20KB', '--workers', workers, watch=folder, kill=kill,
                         calls=['tarfile:TarFile.addfile'])

    kill_again_and_again(f'pack, {workers} at a time', job, content, tmp_path)
