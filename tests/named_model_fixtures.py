"""A pytest plugin: tiny models of every family, and crops."""


import numpy as np
import pytest
from PIL import Image
from pretrained_models import COMMITS, save_tiny


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """A function that gives the folder of a random model of a family, saved once."""
    known = {}

    def folder(kind):
        if kind not in known:
            known[kind] = save_tiny(tmp_path_factory.mktemp(kind), kind)
        return known[kind]

    return folder


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    """A folder of eight crops."""
    folder, draw = tmp_path_factory.mktemp('crops'), np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(draw.integers(0, 256, (16, 6, 3), dtype=np.uint8)).resize(
            (48, 128), Image.Resampling.BICUBIC).save(folder / f'{number}.png')
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A cache of the hub with two commits of a model, ``main`` is the first; no network."""
    repository = tmp_path / 'cache/models--owner--name'
    for seed, commit in enumerate(COMMITS):
        (repository / 'snapshots' / commit).mkdir(parents=True)
        save_tiny(repository / 'snapshots' / commit, 'clip', seed)
    (repository / 'refs').mkdir()
    (repository / 'refs/main').write_text(COMMITS[0])
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path / 'cache'))
    return repository
