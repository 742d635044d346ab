"""Base configs of all data sets, and pretraining that a fine-tuning starts from."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import set_batch_size, shrink

from mmtbps.datasets.readers.names import READERS
from mmtbps.errors import MissingFile
from mmtbps.registry import DATASETS

ROOT = Path(__file__).resolve().parents[1]
DATA_SETS = sorted(path for path in (ROOT / 'configs/_base_/datasets').glob('*.py')
                   if path.stem != 'drawn_retold')  # captions beside those of a set


def readers_of(cfg):
    return {cfg[f'{name}_dataloader'].dataset.type for name in ('train', 'val', 'test')}


def test_every_published_data_set_has_a_base_config():
    used = {reader for path in DATA_SETS for reader in readers_of(Config.fromfile(path))}
    assert used == set(READERS.values()) - {READERS[name] for name in (
        'pab_ucc', 'pairs', 'jsonl')}


@pytest.mark.parametrize('path', DATA_SETS, ids=lambda path: path.stem)
def test_a_base_config_builds_data_sets_that_say_what_is_missing(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(path)
    for name in ('train', 'val', 'test'):
        settings = cfg[f'{name}_dataloader'].dataset
        dataset = DATASETS.build(dict(settings, lazy_init=True, pipeline=[]))
        assert (dataset.split, dataset.test_mode) == (name, name != 'train')
        with pytest.raises(MissingFile) as raised:
            dataset.sources()
        assert settings.data_root in str(raised.value)
        assert dataset.how_to_get in str(raised.value)


@pytest.fixture
def mals(micro_set, tmp_path):
    """The drawn micro set as MALS has images: a caption and a person each."""
    records = json.loads((micro_set / 'reid_raw.json').read_text())
    (tmp_path / 'mals/gene_attrs').mkdir(parents=True)
    (tmp_path / 'mals/gene_crop').symlink_to(micro_set / 'imgs')
    (tmp_path / 'mals/gene_attrs/g_4x_attrs.json').write_text(json.dumps([
        dict(image=f'gene_crop/{record["file_path"]}', caption=record['captions'][0],
             image_id=f'4x_{i}', label=[0] * 27)
        for i, record in enumerate(records) if record['split'] == 'train']))
    return tmp_path / 'mals'


def test_pretraining_on_images_leads_to_fine_tuning_on_people(mals, micro_set, tmp_path):
    first = shrink(Config.fromfile(ROOT / 'configs/clip/clip_b16_itc_mals.py'), micro_set,
                   tmp_path / 'first')
    first.train_dataloader.dataset.update(type='MALS', data_root=str(mals))
    first.train_cfg.max_epochs = 1
    set_batch_size(first.train_dataloader, 24)
    runner = Runner.from_cfg(first)
    runner.train()
    dataset = runner.train_dataloader.dataset
    assert dataset.metainfo['num_persons'] == dataset.num_images == len(dataset)
    second = shrink(Config.fromfile(ROOT / 'configs/clip/clip_b16_itc_mals_cuhk.py'), micro_set,
                    tmp_path / 'second')
    second.load_from = str(tmp_path / 'first/epoch_1.pth')
    second.train_cfg.max_epochs = 1
    set_batch_size(second.train_dataloader, 24)
    tuned = Runner.from_cfg(second)
    tuned.load_or_resume()
    weights = runner.model.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in tuned.model.state_dict().items())
    tuned.train()
    assert tuned.iter > 0
